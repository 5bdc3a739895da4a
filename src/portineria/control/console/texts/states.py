# SPDX-License-Identifier: Apache-2.0
"""Every state as icon, colour and word."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portineria.control.console.texts import sinks


class Shown(NamedTuple):
    """``tone`` is one of the style sheet's: live, wait, stop, rest, accent."""

    text: str | Promise
    tone: str
    icon: str


_UNKNOWN_ICON = "info-circle"

_STATES: dict[str, dict[str, Shown]] = {
    "sink": {
        "paused": Shown(sinks.STATES["paused"], "rest", "player-pause"),
        "failing": Shown(sinks.STATES["failing"], "stop", "plug-connected-x"),
        "behind": Shown(sinks.STATES["behind"], "wait", "hourglass"),
        "current": Shown(sinks.STATES["current"], "live", "circle-check"),
    },
    "signal": {
        "on": Shown(pgettext_lazy("consent signal", "yes"), "live", "circle-check"),
        "off": Shown(pgettext_lazy("consent signal", "no"), "stop", "circle-x"),
        "lost": Shown(_("nothing heard of it"), "wait", "alert-triangle"),
        "unheard": Shown(_("not heard since the server started"), "wait", "hourglass"),
    },
    "session": {
        "opening": Shown(_("opening"), "wait", "hourglass"),
        "live": Shown(pgettext_lazy("session", "live"), "live", "plug-connected"),
        "draining": Shown(_("finishing"), "wait", "clock-pause"),
        "cutting": Shown(_("cutting…"), "stop", "scissors"),
        # ended, by how it was proven
        "ended": Shown(pgettext_lazy("session", "ended"), "rest", "check"),
        "cut": Shown(pgettext_lazy("session", "cut"), "stop", "plug-connected-x"),
        "drained": Shown(pgettext_lazy("session", "finished in time"), "rest", "check"),
        "finished": Shown(pgettext_lazy("session", "finished"), "rest", "check"),
        "idle": Shown(pgettext_lazy("session", "ended, nothing was running"), "rest", "check"),
        "expired": Shown(pgettext_lazy("session", "time over"), "rest", "clock"),
        "silence": Shown(pgettext_lazy("session", "ended without contact"), "wait", "plug-connected-x"),
        "refused": Shown(_("refused by the gateway"), "stop", "circle-x"),
        "unproven": Shown(_("ended without receipt"), "stop", "alert-triangle"),
    },
    "request": {
        "pending": Shown(pgettext_lazy("request", "waiting"), "wait", "hourglass"),
        "approved": Shown(pgettext_lazy("request", "approved"), "live", "circle-check"),
        "refused": Shown(pgettext_lazy("request", "refused"), "stop", "circle-x"),
        "cancelled": Shown(pgettext_lazy("request", "withdrawn"), "rest", "ban"),
        "expired": Shown(pgettext_lazy("request", "not decided in time"), "rest", "clock"),
        "lapsed": Shown(pgettext_lazy("request", "no longer possible"), "rest", "circle-x"),
    },
    "gateway": {
        "waiting": Shown(pgettext_lazy("gateway", "waiting for admission"), "wait", "fingerprint"),
        "admitted": Shown(pgettext_lazy("gateway", "admitted"), "rest", "shield-check"),
        "connected": Shown(pgettext_lazy("gateway", "connected"), "live", "plug-connected"),
        "away": Shown(pgettext_lazy("gateway", "away"), "stop", "plug-connected-x"),
        "refused": Shown(pgettext_lazy("gateway", "refused"), "rest", "circle-x"),
        "revoked": Shown(pgettext_lazy("gateway", "revoked"), "rest", "shield-x"),
        "quarantined": Shown(pgettext_lazy("gateway", "quarantined"), "stop", "lock"),
    },
    "sight": {
        "askable": Shown(_("on request"), "rest", "lock"),
        "reachable": Shown(_("reachable now"), "live", "lock-open"),
        "approved-later": Shown(_("approved, not begun"), "accent", "calendar"),
        "pending": Shown(_("request waiting"), "wait", "hourglass"),
        "unavailable": Shown(_("gateway away"), "stop", "plug-connected-x"),
    },
    "grant": {
        "live": Shown(pgettext_lazy("grant", "valid now"), "live", "circle-check"),
        "later": Shown(pgettext_lazy("grant", "not begun"), "accent", "calendar"),
        "ended": Shown(pgettext_lazy("grant", "ended"), "rest", "clock"),
        "revoked": Shown(pgettext_lazy("grant", "revoked"), "stop", "ban"),
        "void": Shown(pgettext_lazy("grant", "opens nothing"), "stop", "lock"),
    },
    "criticality": {
        "low": Shown(pgettext_lazy("criticality", "low"), "rest", "chevron-down"),
        "normal": Shown(pgettext_lazy("criticality", "normal"), "rest", "building-factory-2"),
        "high": Shown(pgettext_lazy("criticality", "high"), "wait", "alert-triangle"),
    },
    "role": {
        "administrator": Shown(_("administrator"), "accent", "settings"),
        "approver": Shown(_("approver"), "accent", "circle-check"),
        "operator": Shown(_("looks and cuts"), "rest", "eye"),
        "technician": Shown(_("technician"), "rest", "user"),
        "service": Shown(_("service account"), "rest", "server-2"),
        "analyst": Shown(_("analyst of a provider"), "rest", "eye"),
    },
    "person": {
        "active": Shown(pgettext_lazy("person", "active"), "rest", "circle-check"),
        "invited": Shown(pgettext_lazy("person", "invited, no password yet"), "wait", "mail"),
        "locked": Shown(pgettext_lazy("person", "locked"), "stop", "lock"),
        "over": Shown(pgettext_lazy("person", "time over"), "rest", "clock"),
        "supplier-locked": Shown(pgettext_lazy("person", "supplier locked"), "stop", "ban"),
    },
    "provider": {
        "enabled": Shown(pgettext_lazy("identity provider", "enabled"), "rest", "circle-check"),
        "disabled": Shown(pgettext_lazy("identity provider", "disabled"), "stop", "ban"),
    },
    "domain": {
        "confirmed": Shown(pgettext_lazy("domain", "confirmed"), "rest", "circle-check"),
        "claimed": Shown(pgettext_lazy("domain", "not confirmed yet"), "wait", "hourglass"),
    },
    "supplier": {
        "active": Shown(pgettext_lazy("supplier", "active"), "rest", "circle-check"),
        "locked": Shown(pgettext_lazy("supplier", "locked"), "stop", "lock"),
    },
    "stream": {
        "open": Shown(pgettext_lazy("stream", "open"), "live", "plug-connected"),
        "closed": Shown(pgettext_lazy("stream", "closed"), "rest", "check"),
        "refused": Shown(pgettext_lazy("stream", "refused"), "stop", "circle-x"),
    },
}


def state(value: str, kind: str) -> Shown:
    return _STATES.get(kind, {}).get(value) or Shown(value, "rest", _UNKNOWN_ICON)
