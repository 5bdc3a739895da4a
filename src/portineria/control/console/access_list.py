# SPDX-License-Identifier: Apache-2.0
"""Who of the administrators was signed in when, and who tried: from the register alone, which nobody alters.

The order of the Garante of 27 November 2008 wants it of system administrators, kept for six months at least.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portineria.control.audit import queries as audit
from portineria.control.audit import words
from portineria.control.audit.models import Event
from portineria.control.audit.queries import EventView, Sought
from portineria.control.console import texts
from portineria.control.console.event_values import Names
from portineria.control.console.ready_report import MOST, ReadyReport
from portineria.control.console.templatetags.console import zone_of
from portineria.control.console.texts.values import words as in_words
from portineria.control.identity.access_log import ENTERED, FAILED, LEFT, administrators
from portineria.control.identity.models import Organisation, Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.settings.start import current

NAME = "accesses"
_TOGETHER = 500
_OF_SESSIONS = ("session.ended", "order.refused")  # said by a gateway, which knows sessions and not people
_KINDS = {
    **dict.fromkeys(ENTERED, gettext_lazy("sign-in")),
    **dict.fromkeys(LEFT, gettext_lazy("sign-out")),
    **dict.fromkeys(FAILED, gettext_lazy("failed")),
}


def access_list(
    actor: Person, organisation: Organisation, *, since: datetime, before: datetime, everybody: bool, asked: str = "",
    most: int = MOST + 1,
) -> ReadyReport:  # fmt: skip
    """``everybody``: whoever signed in, not only those who administered the organisation until then. Of more than
    ``most`` the first.
    """
    people = None if everybody else administrators(organisation.public_id, before)
    events = _found(actor, organisation.public_id, people, since, before)
    zone = zone_of(actor.time_zone)
    who = _("everybody") if everybody else _("those who administer the organisation, or did until then")
    first = audit.first_event(actor, organisation.public_id)
    facts = [
        (_("Organisation"), organisation.name),
        (_("From"), _moment(since, zone)),
        (_("Until"), _moment(before, zone)),
        (_("Whose accesses"), who),
        (_("System"), current().host),
        (_("The register begins"), _moment(first.at, zone) if first else "—"),
        (_("Kept"), _("for good: each line is an event of the register, which is only ever added to")),
        (_("Made"), _moment(timezone.now(), zone)),
    ]
    head = [
        _("When"), _("Who"), _("What"), _("Kind"), _("How"), _("From where"), _("System"), _("Event"),
        "SHA-256",
    ]  # fmt: skip
    rows = list(_rows(actor, events[:most], zone))
    title = _("Accesses of everybody") if everybody else _("Accesses of administrators")
    return ReadyReport(
        NAME, title, organisation.public_id, facts, head, rows, events[:most], asked,
        more=len(events) - len(rows),
    )  # fmt: skip


def _found(
    actor: Person, organisation: str, people: frozenset[str] | None, since: datetime, before: datetime
) -> list[Event]:
    """The oldest first; of too many a few more than a list may have."""
    codes = frozenset(map(words.of_code, _KINDS))
    if people is None:
        return sorted(_searched(actor, organisation, (codes,), since, before), key=_place)
    if not people:
        return []
    terms = (codes, frozenset(map(words.of_column, people)))
    found = {event.pk: event for event in _searched(actor, organisation, terms, since, before)}
    sessions = {event.session for event in found.values() if event.session}
    found |= {event.pk: event for event in _of_sessions(actor, organisation, sorted(sessions), before)}
    return sorted(found.values(), key=_place)


def _place(event: Event) -> int:
    return event.seq


def _searched(
    actor: Person, organisation: str, terms: tuple[frozenset[str], ...], since: datetime, before: datetime
) -> Iterator[Event]:
    sought, at, count = Sought(terms, since, before), None, 0
    while count <= MOST:
        leaf = audit.search(actor, sought, most=_TOGETHER, before=at)
        own = [event for event in leaf.events if event.organisation == organisation]
        yield from own
        count += len(own)
        if not leaf.older:
            return
        at = leaf.events[-1]


def _of_sessions(actor: Person, organisation: str, sessions: Sequence[str], before: datetime) -> Iterator[Event]:
    for start in range(0, len(sessions), _TOGETHER):
        rows = audit.events(actor).filter(organisation=organisation, session__in=sessions[start : start + _TOGETHER])
        yield from rows.filter(code__in=_OF_SESSIONS, at__lt=before).prefetch_related("personal_values")


def _rows(actor: Person, events: Sequence[Event], zone: tzinfo) -> Iterator[list[str]]:
    views = audit.views(events)
    names = Names(actor, views)
    sessions = _sessions(actor, (event.session for event in events if event.session))
    for event, view in zip(events, views, strict=True):
        person, machine = sessions.get(event.session, ("", ""))
        yield [
            view.at.astimezone(zone).isoformat(" ", "seconds"),
            person or _who(view, names),
            texts.event(view.code),
            str(_KINDS[view.code]),
            _how(view),
            str(view.fields.get("address") or ""),
            machine or f"{_('console')} {current().host}",
            f"{view.seq}",
            view.leaf_sha256,
        ]


def _sessions(actor: Person, sessions: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Id → who worked, on what."""
    wanted, found = sorted(set(sessions)), dict[str, tuple[str, str]]()
    for start in range(0, len(wanted), _TOGETHER):
        rows = remote_sessions.sessions(actor).filter(public_id__in=wanted[start : start + _TOGETHER]).order_by()
        found |= {
            public_id: (person, f"{plant} › {machine}")
            for public_id, person, plant, machine in rows.values_list(
                "public_id", "person__name", "machine__plant__name", "machine__name"
            )
        }
    return found


def _who(view: EventView, names: Names) -> str:
    """The id stays with the name: two people may be called the same, and a name may have been erased."""
    public_id = str(view.fields.get("person") or view.actor)
    typed = str(view.fields.get("email") or "")
    if not public_id.startswith("per_"):
        return typed or "—"
    return " · ".join(dict.fromkeys(part for part in (names[public_id], typed, public_id) if part))


def _how(view: EventView) -> str:
    for name in ("method", "kind"):
        if value := view.fields.get(name):
            return in_words(name, str(value))
    why = str(view.fields.get("why") or view.fields.get("reason") or "")
    return ", ".join(texts.reason(word) for word in why.split())


def _moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).isoformat(" ", "seconds")
