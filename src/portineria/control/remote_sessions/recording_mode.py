# SPDX-License-Identifier: Apache-2.0
"""Whether a session is recorded: what its machine says, its rule asks for, and its owner records of such people."""

from portineria.control.estate.models import RecordingMode
from portineria.control.identity.models import Membership
from portineria.control.privacy.contents import agreed
from portineria.control.privacy.queries import terms_of
from portineria.control.remote_sessions.models import Session
from portineria.wire.statement import Recording as WireRecording


def recording_mode(session: Session) -> WireRecording:
    """Strict is of the machine and holds for everybody: there nothing happens unrecorded, whoever it is. So it is with
    what was opened in an emergency: recorded, or it does not run.
    """
    machine = session.machine
    if machine.recording == RecordingMode.STRICT or session.grant.rule.emergency:
        return "strict"
    if machine.recording == RecordingMode.FULL and (session.grant.rule.needs_recording or _recorded(session)):
        return "full"
    return "none"


def _recorded(session: Session) -> bool:
    members = Membership.objects.filter(person=session.person_id, organisation=session.organisation_id)
    of_supplier = members.filter(supplier__isnull=False).exists()
    return terms_of(session.organisation).records(supplier=of_supplier, agent=session.person.is_agent)


def keeps_contents(session: Session) -> bool:
    """Programs that pass are kept in the recording: only where the owner and the supplier of whoever works agreed."""
    members = Membership.objects.filter(person=session.person_id, organisation=session.organisation_id)
    supplier = members.values_list("supplier", flat=True).first()
    return supplier is not None and agreed(supplier)
