# SPDX-License-Identifier: Apache-2.0
"""What can be reached from elsewhere at all: each machine, by whom, through what, and how it is looked at."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from operator import itemgetter
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portineria.control.access import emergency_queries as emergencies
from portineria.control.access import queries as access
from portineria.control.access.models import Rule
from portineria.control.access.naming import columns_by_machine
from portineria.control.console import texts
from portineria.control.console.ready_report import MOST, ReadyReport
from portineria.control.console.rule_words import everybody_in
from portineria.control.console.templatetags.console import zone_of
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Machine, RecordingMode
from portineria.control.identity.models import Organisation, Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.control.settings.start import current
from portineria.policy.proof_level import proof_level

NAME = "reachable"
_RECORDING: Mapping[str, "str | Promise"] = {
    RecordingMode.NONE.value: gettext_lazy("not recorded"),
    RecordingMode.FULL.value: gettext_lazy("recorded"),
    RecordingMode.STRICT.value: gettext_lazy("recorded: what cannot be kept does not pass"),
}


_TOGETHER = 500  # machines, each of them a value of the question


def reachable_list(actor: Person, organisation: Organisation, *, most: int = MOST + 1) -> ReadyReport:
    """As it is now. A machine without services, which nobody can reach, is listed too, and says so."""
    mine = estate.machines(actor).filter(plant__organisation=organisation)
    machines = list(mine.prefetch_related("devices__services")[:most])
    last = remote_sessions.last_sessions(actor, [machine.pk for machine in machines])
    held = [role for role in emergencies.roles(actor) if role.organisation_id == organisation.pk]
    zone = zone_of(actor.time_zone)
    count = mine.count()
    facts = [
        (_("Organisation"), organisation.name),
        (_("Machines"), str(count)),
        (_("Server"), current().host),
        (_("Made"), _moment(timezone.now(), zone)),
    ]
    head = [
        _("Machine"), _("Where"), _("Services"), _("Who could"), _("Gateway"), _("How it is looked at"), _("Recording"),
        _("Last session"),
    ]  # fmt: skip
    rows = list(_rows(actor, machines, held, last, zone))
    return ReadyReport(
        NAME, _("Systems that can be reached remotely"), organisation.public_id, facts, head, rows,
        more=max(0, count - len(rows)),
    )  # fmt: skip


def _rows(
    actor: Person, machines: Iterable[Machine], held: Sequence[Rule], last: Mapping[int, Session], zone: tzinfo
) -> Iterator[list[str]]:
    rows = list(machines)
    named, terms = _named(actor, rows), _Terms()
    for machine in rows:
        services = [(device, service) for device in machine.devices.all() for service in device.services.all()]
        reach = [
            f"{device.name} {device.address}: {service.name} · {texts.protocol(service.protocol)} "
            f"{service.transport}/{service.port}"
            for device, service in services
        ]
        seen = sorted({str(texts.PROOF_SHORT[proof_level(service.protocol)]) for _device, service in services})
        yield [
            " · ".join(part for part in (machine.name, machine.tag) if part),
            _where(machine),
            "\n".join(reach) or _("none: nobody can reach it"),
            "\n".join(_who(machine, named.get(machine.pk, []), held, terms)) or _("nobody"),
            f"{machine.gateway.name} · {texts.state(machine.gateway.state, 'gateway').text}",
            ", ".join(seen),
            str(_RECORDING[machine.recording]),
            _session(last.get(machine.pk), zone),
        ]


def _where(machine: Machine) -> str:
    line = machine.line
    parts = (machine.plant.name, line.zone.name if line and line.zone else "", line.name if line else "")
    return " › ".join(part for part in parts if part)


_OF_A_RULE = ("pk", "approvals", "needs_approval", "windows", "group__name", "supplier__name", "person__name")


def _named(actor: Person, machines: Sequence[Machine]) -> dict[int, list[dict[str, Any]]]:
    """Machine → what is said of the rules that its own page shows, of which one question asks for many."""
    rules = access.rules(actor).prefetch_related(None).values(*_OF_A_RULE)
    found: dict[int, list[dict[str, Any]]] = {}
    for first in range(0, len(machines), _TOGETHER):
        found |= columns_by_machine(machines[first : first + _TOGETHER], rules)
    return found


def _who(machine: Machine, rules: Iterable[dict[str, Any]], held: Sequence[Rule], terms: "_Terms") -> Iterator[str]:
    """The newest rule first."""
    for rule in sorted(rules, key=itemgetter("pk"), reverse=True):
        group = rule["group__name"]
        name = everybody_in(group) if group else rule["supplier__name"] or rule["person__name"] or "—"
        yield f"{name} ({terms[rule['approvals'] if rule['needs_approval'] else 0, rule['windows']]})"
    for role in held:
        if role.emergency_plant_id == machine.plant_id and role.person is not None:
            yield f"{role.person.name} ({_('in an emergency')})"


class _Terms(dict[tuple[int, str], str]):
    """How many have to say yes, and when: in words, which many rules have in common."""

    def __missing__(self, key: tuple[int, str]) -> str:
        approvals, windows = key
        after = _("after a yes of %(count)d") % {"count": approvals} if approvals else _("without a yes")
        self[key] = f"{after}, {texts.windows(windows) if windows else _('at any hour')}"
        return self[key]


def _session(session: Session | None, zone: tzinfo) -> str:
    if session is None:
        return _("never")
    return f"{_moment(session.requested_at, zone)} · {session.person.name}"


def _moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).isoformat(" ", "seconds")
