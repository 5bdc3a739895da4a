# SPDX-License-Identifier: Apache-2.0
"""For whoever asks for access: each machine with what they may do there now, what is missing, and the one next step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portineria.control.access import queries as access
from portineria.control.access.models import AccessRequest
from portineria.control.access.queries import MachineSight
from portineria.control.console import texts, whereabouts
from portineria.control.console.queries import LATER
from portineria.control.console.texts import signals
from portineria.control.console.whereabouts import Place
from portineria.control.estate.models import Machine, MachineQuerySet
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.policy.ending import Reason


@dataclass(frozen=True, slots=True)
class Step:
    """``state`` as ``texts.state`` has them for a sight; ``missing``: in words; ``path``, ``button``: the next step."""

    place: Place
    state: str
    missing: tuple[str, ...]
    path: str
    button: "str | Promise"
    icon: str
    open: MachineSight | None = None
    more: str = ""  # where to ask for more time

    @property
    def main(self) -> bool:
        return not self.missing


def machines(actor: Person) -> MachineQuerySet:
    """Those of others: in their own plants people need no request."""
    return access.machines_in_sight(actor).exclude(plant__organisation__in=actor.staff_of)


def steps_leaf(actor: Person, leaf: Page[Any]) -> Page[Step]:
    leaf.object_list = steps(actor, list(leaf.object_list))
    return leaf


def steps(actor: Person, rows: list[Machine]) -> list[Step]:
    """A few queries however many there are."""
    sights = access.sights(actor, rows)
    places = whereabouts.places(actor, rows, {seen.machine.pk: seen.sight for seen in sights})
    inside = _first(remote_sessions.open_sessions(actor).filter(person=actor, machine__in=rows))
    pending = whereabouts.waiting(access.pending_requests(actor))
    waiting = _first(pending.filter(person=actor, machine__in=rows))
    return [
        _step(seen, places[seen.machine.pk], inside.get(seen.machine.pk), waiting.get(seen.machine.pk))
        for seen in sights
    ]


def _first(rows: Iterable[Any]) -> dict[int, Any]:
    return {row.machine_id: row for row in reversed(list(rows))}


def _step(seen: MachineSight, place: Place, session: Session | None, asked: AccessRequest | None) -> Step:
    machine = reverse("console:machine", args=[seen.machine.public_id])
    if session is not None:
        path = reverse("console:session", args=[session.public_id])
        lasting = session.grant.lasting
        more = reverse("console:extension-ask", args=[session.grant.public_id]) if lasting else ""
        return Step(
            place,
            "reachable",
            (),
            path,
            gettext_lazy("Open the session"),
            "plug-connected",
            seen if seen.decision.permitted else None,
            more,
        )
    if seen.decision.permitted:
        more = reverse("console:extension-ask", args=[seen.grant]) if seen.lasting else ""
        return Step(place, "reachable", (), machine, gettext_lazy("How to connect"), "terminal-2", seen, more)
    if seen.to_confirm and asked is None and seen.notice is None:
        first = seen.to_confirm[0]
        path = f"{reverse('console:training', args=[first.public_id])}?{urlencode({'next': reverse('console:work')})}"
        return Step(place, "askable", _names(seen), path, gettext_lazy("Read and confirm"), "file-text")
    others = tuple(texts.reason(why.value) for why in seen.decision.denials if why not in _SAID_OTHERWISE)
    others += (*_standing(seen), *_names(seen))
    if asked is not None:
        path = reverse("console:request", args=[asked.public_id])
        missing = (_("a decision about your request"), *others)
        return Step(place, "pending", missing, path, gettext_lazy("Open the request"), "file-text")
    if Reason.NO_GRANT not in seen.decision.denials or seen.max_minutes is None:
        state = "approved-later" if seen.decision.denials in LATER else "askable"
        return Step(place, state, others, machine, gettext_lazy("Look at the machine"), "building-factory-2")
    path = reverse("console:ask", args=[seen.machine.public_id])
    return Step(place, "askable", (*_to_ask(seen), *others), path, gettext_lazy("Request access"), "key")


# In words of their own: asking, and the names of what has to be confirmed.
_SAID_OTHERWISE = {Reason.NO_GRANT, Reason.TRAINING}


def _names(seen: MachineSight) -> tuple[str, ...]:
    return tuple(_("the training %(name)s") % {"name": one.name} for one in seen.trainings)


def _standing(seen: MachineSight) -> Iterable[str]:
    """Where no grant's own reason says it."""
    if seen.least_standing and Reason.SUPPLIER_STANDING not in seen.decision.denials:
        said = _("a standing of %(level)s or better of your company, which only %(who)s can enter")
        yield said % {"level": seen.least_standing, "who": seen.machine.plant.organisation.name}


def _to_ask(seen: MachineSight) -> Iterable[str]:
    yield _("a request of yours")
    if seen.needs_reference:
        yield _("a ticket or work permit")
    if seen.needs_approval:
        who = seen.machine.answering.name if seen.machine.answering else seen.machine.plant.organisation.name
        yield _("a yes of %(who)s or somebody else there") % {"who": who}
    if seen.needs_maintenance:
        yield _("the machine in maintenance, by the people of the plant")
    if seen.signals:
        yield _("a yes at the machine: %(kinds)s") % {"kinds": signals.kinds(seen.signals)}
