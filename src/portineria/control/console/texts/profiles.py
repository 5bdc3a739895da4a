# SPDX-License-Identifier: Apache-2.0
"""A function profile in plain words: one sentence a clause, in the language of whoever reads."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portineria.control.console.texts.values import KINDS
from portineria.policy.function_profile import DIRECT, OBSERVING, Clause, Place, Profile
from portineria.policy.proof_level import ProofLevel

PROOF: dict[ProofLevel, str | Promise] = {
    ProofLevel.DECODED: gettext_lazy("decoded: each operation, with target and values"),
    ProofLevel.METADATA: gettext_lazy("metadata only: who, when, which device and port, how much"),
}


def profile_lines(profile: Profile) -> list[str]:
    """What it allows; everything else is refused, or noted where it is on trial. What it holds stands behind."""
    held = [_("after somebody's yes: %(what)s") % {"what": _clause(clause)} for clause in profile.hold]
    return [*map(_clause, profile.clauses), *held] or [_("nothing")]


def _clause(clause: Clause) -> str:
    parts = [_what(clause)]
    if clause.targets:
        parts.append(_("on %(targets)s") % {"targets": ", ".join(map(_place, clause.targets))})
    if clause.low is not None or clause.high is not None:
        parts.append(_("values %(limits)s") % {"limits": _limits(clause)})
    if clause.rate:
        rate = {"times": clause.rate.times, "seconds": clause.rate.seconds}
        parts.append(_("at most %(times)s times in %(seconds)s s") % rate)
    if clause.routes != (DIRECT,):
        through = [" > ".join(route) or _("the device itself") for route in clause.routes]
        parts.append(_("through %(routes)s") % {"routes": ", ".join(through)})
    return " · ".join(parts)


def _what(clause: Clause) -> str:
    if clause in OBSERVING and clause.functions:
        return _("diagnosis that only counts") + f" ({clause.protocol})"
    kinds = ", ".join(str(KINDS[kind.value]) for kind in clause.kinds) or _("everything known")
    functions = ", ".join(clause.functions)
    text = f"{kinds}: {functions}" if functions else kinds
    return f"{text} ({clause.protocol})" if clause.protocol else text


def _place(place: Place) -> str:
    if place.first is None or place.last is None:
        return f"{place.area} {place.name}".rstrip()
    return f"{place.area} {place.first}" + (f"–{place.last}" if place.last != place.first else "")


def _limits(clause: Clause) -> str:
    low = "" if clause.low is None else str(clause.low)
    high = "" if clause.high is None else str(clause.high)
    return f"{low} … {high}".strip()
