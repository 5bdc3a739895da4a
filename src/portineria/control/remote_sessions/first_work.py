# SPDX-License-Identifier: Apache-2.0
"""What a supplier does on a machine for the first time: told by the gateway's summary, kept, and told to the register.

Against a supplier as a whole: which of its people came is no news, and nobody is measured by it.
"""

from portineria.control.access.firm import firm_under
from portineria.control.audit import queries as audit
from portineria.control.audit.services import record
from portineria.control.identity.authority import SYSTEM
from portineria.control.identity.models import Supplier
from portineria.control.remote_sessions import work
from portineria.control.remote_sessions.models import KnownWork, Session, WorkKind

_TEXT = 400  # characters of an event's list; the report has all of it
_EVENTS = 2000
Names = set[tuple[str, str]]  # kind and name


def note_first_work(session: Session) -> None:
    """The gateway has summed up."""
    supplier = _supplier(session)
    whose = _whose(session, supplier)
    new = _new(session, whose, _names(session))
    if not new:
        return
    KnownWork.objects.bulk_create(
        KnownWork(machine=session.machine, whose=whose, kind=kind, name=name, session=session)
        for kind, name in sorted(new)
    )
    record(
        "remote_sessions.work.new", organisation=session.organisation.public_id, actor=SYSTEM,
        session=session.public_id, machine=session.machine.public_id, gateway=session.gateway.public_id,
        person=session.person.public_id, supplier=supplier.public_id if supplier else "",
        new_functions=_listed(new, WorkKind.FUNCTION), new_targets=_listed(new, WorkKind.TARGET),
    )  # fmt: skip


def known_functions(session: Session) -> frozenset[str]:
    """By protocol and name, what was done here before by whom this session counts for."""
    whose = _whose(session, _supplier(session))
    rows = KnownWork.objects.filter(machine=session.machine_id, whose=whose, kind=WorkKind.FUNCTION)
    return frozenset(rows.values_list("name", flat=True))


def _supplier(session: Session) -> Supplier | None:
    return firm_under(session.grant.rule, session.person, session.organisation_id)


def _whose(session: Session, supplier: Supplier | None) -> str:
    return supplier.public_id if supplier else session.person.public_id


def _names(session: Session) -> Names:
    codes = [work.DONE, work.CHANGED]
    found = audit.of_session(session.organisation.public_id, session.public_id).filter(code__in=codes)
    done = work.read(audit.views(found[:_EVENTS]))
    names: Names = {(WorkKind.FUNCTION, f"{line.protocol} {line.function}") for line in done.done if line.count}
    return names | {
        (WorkKind.TARGET, " ".join(part for part in (line.protocol, line.route, line.targets) if part))
        for line in done.changed
    }


def _new(session: Session, whose: str, names: Names) -> Names:
    known = KnownWork.objects.filter(machine=session.machine, whose=whose, name__in={name for _, name in names})
    return names - set(known.values_list("kind", "name"))


def _listed(new: Names, wanted: str) -> str:
    text = ", ".join(sorted(name for kind, name in new if kind == wanted))
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
