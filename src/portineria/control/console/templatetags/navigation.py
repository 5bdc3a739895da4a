# SPDX-License-Identifier: Apache-2.0
"""The frame of every page: where one can go, in the side or at the bottom, and the language."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.conf import settings
from django.template.context import Context
from django.urls import reverse
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from portineria.control.console.how_much_waits import how_much_waits
from portineria.control.identity import queries as identity
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.inside import chosen
from portineria.control.identity.models import Person, Role

register = template.Library()


@dataclass(frozen=True, slots=True)
class Item:
    section: str
    url: str
    text: str
    short: str  # for the bar of a phone
    icon: str
    current: bool
    count: int = 0
    count_text: str = ""


# Page name → section of the menu; what is not here is called like its section.
_SECTION_OF = {
    "plant": "plants",
    "machine": "machines",
    "ask": "machines",
    "rule": "rules",
    "rule-add": "rules",
    "rule-change": "rules",
    "rule-end": "rules",
    "rule-simulate": "rules",
    **dict.fromkeys(
        (
            "devices",
            "device-add",
            "device-revoke",
            "reasons",
            "trainings",
            "training-add",
            "training-edit",
            "training-end",
        ),
        "rules",
    ),
    "machine-who": "machines",
    "machine-labels": "machines",
    "person-reach": "people",
    **dict.fromkeys(("supplier", "supplier-assess"), "people"),
    **dict.fromkeys(("service-accounts", "service-account", "service-account-add", "service-token-add"), "people"),
    **dict.fromkeys(
        ("groups", "group", "group-close", "group-add", "group-remove", "group-follow", "group-unfollow"), "people"
    ),
    "machine-lock": "locks",
    "gateway-lock": "locks",
    "lock-add": "locks",
    "lock-everything": "locks",
    "lock-lift": "locks",
    "break-glass": "machines",
    "emergency-give": "emergencies",
    "emergency-take": "emergencies",
    "emergency-longest": "emergencies",
    "emergency-sign": "emergencies",
    "cut": "sessions",
    "directory-ends": "sessions",
    "extend": "sessions",
    "extension-ask": "sessions",
    "end": "sessions",
    "session": "sessions",
    "report": "sessions",
    "report-sign": "sessions",
    "gateway": "gateways",
    "gateway-add": "gateways",
    "gateway-offered": "gateways",
    "gateway-refuse": "gateways",
    "gateway-emergency": "gateways",
    "gateway-revoke": "gateways",
    "grant-revoke": "requests",
    "substitutes": "approvals",
    "contents": "privacy",
    "substitute-end": "approvals",
    "lock-person": "sessions",
    "lock-supplier": "sessions",
    "unlock-person": "sessions",
    "unlock-supplier": "sessions",
    "provider": "people",
    "providers": "people",
    "provider-add": "people",
    "provider-secret": "people",
    "provider-switch": "people",
    "provider-withdraw": "people",
    "company_callback": "people",
    "provider-connect": "account",
    "hours": "account",
    "person-lock": "people",
    "person-unlock": "people",
    "person-invite": "people",
    "event": "events",
    "register-check": "events",
    "register-export": "events",
    **dict.fromkeys(("lists", "list-accesses", "list-reachable"), "events"),
    "sink": "sinks",
    "sink-add": "sinks",
    "sink-replay": "sinks",
    "sink-change": "sinks",
    "sink-remove": "sinks",
    "notice": "account",
    "notice-edit": "privacy",
    "privacy-terms": "privacy",
    "privacy-duties": "privacy",
    "playback-ask": "sessions",
    "recording-hold": "sessions",
    "playback-decide": "privacy",
    "supplier-lock": "people",
    "supplier-unlock": "people",
    **dict.fromkeys(
        (
            "delegation",
            "delegation-add",
            "template",
            "template-compare",
            "template-apply",
            "delegation-change",
            "delegation-withdraw",
            "name-ask",
            "name-answer",
        ),
        "delegations",
    ),
    "incident": "customers",
    "notification-choices": "notifications",
    "notification-webhook": "notifications",
}


def _section(context: Context) -> str:
    match = getattr(context.get("request"), "resolver_match", None)
    if match is None:
        return ""
    if match.app_name != "console":
        return "account"
    name = match.url_name or ""
    return str(context.get("section") or _SECTION_OF.get(name, name))


def _items(person: Person, section: str, waiting: int | None) -> list[Item]:
    """``waiting``: how much waits for the person, where the page has counted it."""
    roles = identity.roles(person).values()
    staff = any(role.staff for role in roles)
    asks = any(role is Role.TECHNICIAN for role in roles)
    works = staff or bool(person.sees(Power.WORK))
    if waiting is None and works:  # requests for access, held ones of sessions that run, and for more time
        waiting = how_much_waits(person)
    waiting = waiting or 0
    waiting_text = ngettext("%(count)d request waits for you", "%(count)d requests wait for you", waiting)
    rows = [
        ("home", _("Now"), _("Now"), "home", True),
        ("machines", _("Machines"), _("Machines"), "building-factory-2", True),
        ("approvals", _("Approvals"), pgettext("menu of a phone", "Approvals"), "circle-check", works),
        ("requests", _("My requests"), pgettext("menu of a phone", "Requests"), "file-text", asks),
        ("sessions", _("Sessions"), _("Sessions"), "plug-connected", True),
        ("plants", _("Plants"), _("Plants"), "map-2", staff or bool(person.sees(Power.ESTATE))),
        ("work", _("My work"), _("My work"), "list-details", asks),
        ("gateways", _("Gateways"), _("Gateways"), "router", staff or bool(person.sees(Power.ESTATE))),
        ("people", _("People"), _("People"), "users", staff),
        ("rules", _("Rules"), _("Rules"), "key", staff),
        ("locks", _("Locks"), _("Locks"), "lock", staff or bool(person.sees(Power.LOCK))),
        ("emergencies", _("Emergencies"), _("Emergencies"), "alert-triangle", staff),
        ("events", _("Events"), _("Events"), "list-details", staff or bool(person.sees(Power.REGISTER))),
        ("sinks", _("Sinks"), _("Sinks"), "server-2", staff or bool(person.sees(Power.SINK))),
        ("privacy", _("Privacy"), _("Privacy"), "shield-check", staff),
        ("delegations", _("Providers"), _("Providers"), "link", staff),
        ("customers", _("Customers"), _("Customers"), "building-factory-2", person.has_customers),
    ]
    return [
        Item(
            name, reverse(f"console:{name}"), text, short, icon, section == name,
            *((waiting, waiting_text % {"count": waiting}) if name == "approvals" else ()),
        )
        for name, text, short, icon, shown in rows
        if shown
    ]  # fmt: skip


@register.inclusion_tag("console/parts/navigation.html", takes_context=True)
def navigation(context: Context) -> dict[str, Any]:
    request, section = context["request"], _section(context)
    person = getattr(request, "inside", None) or request.user
    items = _items(person, section, context.get("waiting_for_you"))
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "user": person,
        "section": section,
        "items": items,
        "bar": items[:4],
        "more": items[4:],
    }


@register.inclusion_tag("console/parts/inside.html", takes_context=True)
def inside(context: Context) -> dict[str, Any]:
    """For whom every page is, while somebody is inside a customer."""
    analyst = getattr(context.get("request"), "inside", None)
    return {
        "analyst": analyst, "csrf_token": context.get("csrf_token"),
        "delegation": chosen(analyst) if analyst is not None else None,
    }  # fmt: skip


@register.inclusion_tag("console/parts/preferences.html", takes_context=True)
def preferences(context: Context, place: str = "foot") -> dict[str, Any]:
    request = context.get("request")
    return {
        "csrf_token": context.get("csrf_token"),
        "place": place,
        "languages": settings.LANGUAGES,
        "language": get_language(),
        "next": request.get_full_path() if request is not None and request.method == "GET" else "/",
    }
