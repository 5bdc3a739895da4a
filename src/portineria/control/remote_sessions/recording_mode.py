# SPDX-License-Identifier: Apache-2.0
"""Whether a session is recorded: what its machine says, its rule asks for, and its owner records of such people."""

from django.db.models import Exists, OuterRef

from portineria.control.estate.models import RecordingMode
from portineria.control.identity.models import Membership
from portineria.control.privacy.contents import agreed
from portineria.control.privacy.models import Terms
from portineria.control.privacy.queries import terms_of
from portineria.control.remote_sessions.models import Session, SessionQuerySet
from portineria.wire.statement import Recording as WireRecording


def recording_mode(session: Session) -> WireRecording:
    """Strict is of the machine and holds for everybody: there nothing happens unrecorded, whoever it is. So it is with
    what was opened in an emergency: recorded, or it does not run.
    """
    if (mode := _by_itself(session)) is not None:
        return mode
    members = Membership.objects.filter(person=session.person_id, organisation=session.organisation_id)
    of_supplier = members.filter(supplier__isnull=False).exists()
    records = terms_of(session.organisation).records(supplier=of_supplier, agent=session.person.is_agent)
    return "full" if records else "none"


def _by_itself(session: Session) -> WireRecording | None:
    """None: its owner's terms say, by who works."""
    machine, rule = session.machine, session.grant.rule
    if machine.recording == RecordingMode.STRICT or rule.emergency:
        return "strict"
    if machine.recording != RecordingMode.FULL:
        return "none"
    return "full" if rule.needs_recording else None


def with_terms(rows: SessionQuerySet) -> SessionQuerySet:
    """What ``recorded`` looks at, for many at once."""
    firms = Membership.objects.filter(
        person=OuterRef("person"), organisation=OuterRef("organisation"), supplier__isnull=False
    )
    return rows.select_related("organisation__terms").annotate(of_supplier=Exists(firms))


def recorded(session: Session) -> bool:
    """Whether ``recording_mode`` says so, of one that comes ``with_terms``."""
    if (mode := _by_itself(session)) is not None:
        return mode != "none"
    terms = getattr(session.organisation, "terms", None) or Terms(organisation=session.organisation)
    return terms.records(supplier=session.__dict__["of_supplier"], agent=session.person.is_agent)


def keeps_contents(session: Session) -> bool:
    """Programs that pass are kept in the recording: only where the owner and the supplier of whoever works agreed."""
    members = Membership.objects.filter(person=session.person_id, organisation=session.organisation_id)
    supplier = members.values_list("supplier", flat=True).first()
    return supplier is not None and agreed(supplier)
