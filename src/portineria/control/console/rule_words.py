# SPDX-License-Identifier: Apache-2.0
"""A rule in plain words: one way of saying it, before it is kept and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portineria.control.access.level_standing import LevelAble
from portineria.control.access.levels import Asked
from portineria.control.access.models import Rule, RuleVersion
from portineria.control.access.only_services import words_of
from portineria.control.access.training_queries import names
from portineria.control.access.watchers import watchers_in_words
from portineria.control.console import texts
from portineria.control.console.templatetags.console import minutes
from portineria.control.console.texts import signals as signal_words

_NAMED = 5  # machines in a sentence


class LevelWords(NamedTuple):
    needed: int
    whom: str


@dataclass(frozen=True, slots=True)
class Terms:
    who: str
    firm: bool
    machines: Sequence[str]  # names, the first few
    more: int  # machines besides
    minutes: int
    approvals: int  # 0: nobody has to
    profile: str
    only_decoded: bool
    windows: str
    needs_reference: bool
    needs_recording: bool
    watcher: str
    needs_maintenance: bool = False
    signals: str = ""  # kinds, apart by blanks
    places: Sequence[str] = ()  # in words
    only_services: Sequence[str] = ()
    trainings: Sequence[str] = ()  # names
    factor_minutes: int = 0
    needs_listed_reason: bool = False
    needs_device: bool = False
    least_standing: str = ""
    levels: Sequence[LevelWords] = ()  # none: of whoever approves


def whom(rule: Rule) -> str:
    """A supplier's name, of which ``firm`` says the rest."""
    if rule.group is not None:
        return everybody_in(rule.group.name)
    return rule.supplier.name if rule.supplier else rule.person.name if rule.person else ""


def everybody_in(group: str) -> str:
    return _("Everybody in %(who)s") % {"who": group}


def place_words(kind: str, row: object) -> str:
    """All machines of a place; ``row`` comes with its plant."""
    plant = getattr(row, "plant", None)
    said = {
        "plant": _("all machines of plant %(name)s"),
        "zone": _("all machines of zone %(name)s (%(plant)s)"),
        "line": _("all machines of line %(name)s (%(plant)s)"),
        "label": _("all machines labelled %(name)s"),
    }
    return said[kind] % {"name": row, "plant": plant}


def terms_of(rule: Rule, machines: Sequence[str], count: int, asked: Sequence[LevelAble]) -> Terms:
    """``asked``: whom it asks for a yes, where it says so."""
    return Terms(
        who=whom(rule),
        firm=rule.supplier is not None,
        machines=machines[:_NAMED],
        more=max(0, count - _NAMED),
        minutes=rule.max_minutes,
        approvals=rule.approvals if rule.needs_approval else 0,
        profile=rule.profile.name if rule.profile else "",
        only_decoded=rule.only_decoded,
        windows=rule.windows,
        needs_reference=rule.needs_reference,
        needs_recording=rule.needs_recording,
        watcher=watchers_in_words(rule),
        needs_maintenance=rule.needs_maintenance,
        signals=rule.signals,
        only_services=words_of(rule.only_services),
        places=[place_words(place.kind, place.named) for place in rule.places.all()],
        trainings=names(rule.trainings),
        factor_minutes=rule.factor_minutes or 0,
        needs_listed_reason=rule.needs_listed_reason,
        needs_device=rule.needs_device,
        least_standing=rule.least_standing,
        levels=[level_words(one.asked) for one in asked] if rule.level_count else (),
    )


def sentences(terms: Terms) -> list[str]:
    who = _("People of %(who)s") % {"who": terms.who} if terms.firm else terms.who
    what = ", ".join(terms.machines) or "…"
    if terms.more:
        more = ngettext("and %(count)d more", "and %(count)d more", terms.more) % {"count": terms.more}
        what = f"{what} {more}"
    if terms.places:
        what = ", ".join([*([what] if terms.machines else []), *terms.places])
    said = [
        _("%(who)s may ask for %(what)s, for up to %(length)s.")
        % {"who": who or "…", "what": what, "length": minutes(terms.minutes)},
        _levels(terms.levels) if terms.levels else _approval(terms.approvals),
    ]
    if terms.windows:
        said.append(_("Only %(windows)s, by the clock of the plant.") % {"windows": texts.windows(terms.windows)})
    else:
        said.append(_("At any hour."))
    if terms.profile:
        said.append(_("What may be done there says the function profile %(name)s.") % {"name": terms.profile})
    else:
        said.append(_("Nothing is inspected: whatever the tool sends passes."))
    if terms.places:
        said.append(_("What joins these places is in it from then on, and what leaves them no longer."))
    return said + _besides(terms)


def _approval(count: int) -> str:
    if not count:
        return _("Nobody has to approve: it is open as soon as somebody asks.")
    said = ngettext("One person has to approve.", "%(count)d different people have to approve.", count)
    return said % {"count": count} if count > 1 else said


def whom_asked(group: str, people: Sequence[str]) -> str:
    """Of a level: by the name of a group, or by people's; of neither, whoever approves."""
    if group:
        return _("group %(name)s") % {"name": group}
    return " / ".join(people) or _("whoever approves")


def level_words(asked: Asked) -> LevelWords:
    group = asked.group.name if asked.group is not None else ""
    return LevelWords(asked.needed, whom_asked(group, [person.name for person in asked.people]))


def level_said(one: LevelWords) -> str:
    return _("%(count)d of %(whom)s") % {"count": one.needed, "whom": one.whom}


def able_words(one: LevelAble, asker: int | None) -> str:
    """How many of how many: ``1 of 3 from group Maintenance``."""
    needed, asked = level_words(one.asked)
    values = {"count": needed, "able": one.able(asker or 0), "whom": asked}
    return _("%(count)d of %(able)d from %(whom)s") % values


def _levels(levels: Sequence[LevelWords]) -> str:
    first, *others = [level_said(one) for one in levels]
    if not others:
        return _("It has to be approved by %(whom)s.") % {"whom": first}
    said = first
    for one in others:
        said = _("%(before)s, then %(after)s") % {"before": said, "after": one}
    return _("It has to be approved level after level: by %(whom)s.") % {"whom": said}


def _besides(terms: Terms) -> list[str]:
    parts = [
        (terms.only_decoded or bool(terms.places and terms.profile), _("Services that cannot be decoded stay closed.")),
        (
            bool(terms.only_services),
            _("Only these services open: %(names)s.") % {"names": ", ".join(terms.only_services)},
        ),
        (terms.needs_reference, _("Each request gives the number of a ticket or work permit.")),
        (terms.needs_listed_reason, _("Each request names one of the listed reasons.")),
        (terms.needs_device, _("Work is done from company devices only.")),
        (terms.needs_recording, _("It opens only where it is recorded.")),
        (bool(terms.watcher), _("%(name)s watches.") % {"name": terms.watcher}),
        (terms.needs_maintenance, _("It opens only while the plant's people have the machine in maintenance.")),
        (bool(terms.signals), _signals(terms.signals)),
        (bool(terms.trainings), _("Whoever works has confirmed: %(names)s.") % {"names": ", ".join(terms.trainings)}),
        (
            bool(terms.factor_minutes),
            _("Whoever begins proved their second factor at most %(length)s before.")
            % {"length": minutes(terms.factor_minutes)},
        ),
        (
            bool(terms.least_standing),
            _("People of a supplier work only while its standing is %(level)s or better.")
            % {"level": terms.least_standing},
        ),
    ]
    return [text for holds, text in parts if holds]


def _signals(kinds: str) -> str:
    if "usual" in kinds.split():
        return _("Where something may be changed, every consent signal of the machines has to say yes.")
    return _("It opens only while these say yes at the machine: %(kinds)s.") % {"kinds": signal_words.kinds(kinds)}


_TERMS = {
    "minutes": gettext_lazy("minutes"),
    "needs_approval": gettext_lazy("approval needed"),
    "approvals": gettext_lazy("approvals"),
    "approval_levels": gettext_lazy("approval levels"),
    "profile": gettext_lazy("function profile"),
    "only_decoded": gettext_lazy("only what can be decoded"),
    "windows": gettext_lazy("when"),
    "needs_reference": gettext_lazy("ticket or work permit"),
    "needs_recording": gettext_lazy("recording"),
    "watcher": gettext_lazy("who watches"),
    "places": gettext_lazy("places"),
    "only_services": gettext_lazy("only these services"),
    "trainings": gettext_lazy("trainings"),
    "factor_minutes": gettext_lazy("age of the second factor"),
    "needs_listed_reason": gettext_lazy("listed reason"),
    "needs_device": gettext_lazy("company device"),
    "least_standing": gettext_lazy("least standing of a supplier"),
    "ended": gettext_lazy("ended"),
    "needs_maintenance": gettext_lazy("only in maintenance"),
    "signals": gettext_lazy("consent signals"),
    "watchers": gettext_lazy("who watches besides"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One version of a rule, and what it changed about the one before."""

    version: RuleVersion
    changed: list[tuple[str, str, str]]  # what, from, to
    added: list[str]  # names of machines, ids of those that are gone
    removed: list[str]


def history(versions: Sequence[RuleVersion], names: dict[str, str]) -> list[Change]:
    """The newest first; ``names``: of machines, profiles and people, by id."""
    found = []
    for row, before in zip(versions, [*versions[1:], None], strict=True):
        was = before.terms if before else {}
        changed = [
            (str(text), _value(was.get(key), names), _value(row.terms.get(key), names))
            for key, text in _TERMS.items()
            if before is not None and was.get(key) != row.terms.get(key)
        ]
        added, removed = ([names.get(one, one) for one in ids] for ids in (row.added, row.removed))
        found.append(Change(row, changed, added, removed))
    return found


def _value(value: object, names: dict[str, str]) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return texts.windows(names.get(str(value), str(value))) if value not in (None, "") else "—"
