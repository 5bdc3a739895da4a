# SPDX-License-Identifier: Apache-2.0
"""What templates need to show times with their zone, states, icons, identifiers and form fields the same everywhere."""

import zoneinfo
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.forms import BoundField
from django.forms.widgets import CheckboxInput, Select
from django.template.context import Context
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from portineria.control.console import texts
from portineria.control.console.texts import signals
from portineria.control.settings.start import current
from portineria.policy import proof_level as levels
from portineria.protocols.recognition import agrees

register = template.Library()

_NAMES = 5  # of several things that a typed name was taken for
_DRAWN = 1024  # icons with their classes, states in three languages: some hundreds

# Django's own English form ("4:28 p.m.") is not how a plant writes times; Italian and Japanese follow custom.
_FORMS = {"en": ("j M Y", "H:i"), "it": ("j b Y", "H:i"), "ja": ("Y年n月j日", "H:i")}


def zone_of(zone: str | tzinfo | None, context: Context | None = None) -> tzinfo:
    """The named zone; the signed-in person's own where a page has no plant; UTC for a name nobody knows."""
    if isinstance(zone, tzinfo):
        return zone
    if not zone and context is not None:
        request = context.get("request")
        zone = getattr(getattr(request, "user", None), "time_zone", "") if request else ""
    try:
        return zoneinfo.ZoneInfo(zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return UTC


def zone_name(moment: datetime) -> str:
    """CET, JST; where the database has only a number, UTC+5:30."""
    name = moment.tzname() or "UTC"
    if name[0] not in "+-":
        return name
    offset = moment.strftime("%z")
    hours, minutes = offset[:3].replace("+0", "+").replace("-0", "-"), offset[3:5]
    return f"UTC{hours}" + (f":{minutes}" if minutes != "00" else "")


def day_form() -> str:
    return _FORMS.get(get_language() or "en", _FORMS["en"])[0]


def written(moment: datetime, *, seconds: bool = False) -> str:
    date_form, time_form = _FORMS.get(get_language() or "en", _FORMS["en"])
    clock = date_format(moment, time_form + (":s" if seconds else ""))
    today = timezone.localtime(timezone.now(), moment.tzinfo).date()
    if moment.date() == today:
        word = _("today")
        return f"{word} {clock}"
    return f"{date_format(moment, date_form)} {clock}"


@register.simple_tag(takes_context=True)
def when(
    context: Context, moment: datetime | None, zone: str | tzinfo | None = None, seconds: bool = False
) -> SafeString | str:
    if moment is None:
        return "—"
    local = timezone.localtime(moment, zone_of(zone, context))
    return format_html(
        '<time datetime="{}" title="{}">{} <span class="quiet">{}</span></time>',
        local.isoformat(timespec="seconds"),
        str(local.tzinfo),
        written(local, seconds=seconds),
        zone_name(local),
    )


@register.simple_tag(takes_context=True)
def clock(context: Context, moment: datetime, zone: str | tzinfo | None = None, seconds: bool = False) -> str:
    """The hour alone, where a page has said the day."""
    return date_format(timezone.localtime(moment, zone_of(zone, context)), "H:i:s" if seconds else "H:i")


@register.simple_tag(takes_context=True)
def span(context: Context, start: datetime, end: datetime, zone: str | tzinfo | None = None) -> SafeString:
    """From when to when, the zone once."""
    first, last = (timezone.localtime(moment, zone_of(zone, context)) for moment in (start, end))
    same_day = first.date() == last.date()
    until = date_format(last, "H:i") if same_day else written(last)
    return format_html(
        '<time datetime="{}">{}</time> – <time datetime="{}">{}</time> <span class="quiet" title="{}">{}</span>',
        first.isoformat(timespec="seconds"),
        written(first),
        last.isoformat(timespec="seconds"),
        until,
        str(last.tzinfo),
        zone_name(last),
    )


@register.filter
def moment_text(moment: datetime) -> str:
    """For a moment inside a list of details, in the zone of whoever reads."""
    local = timezone.localtime(moment)
    return f"{written(local)} {zone_name(local)}"


def dated(moment: datetime) -> str:
    """For a document, which is read on other days too; in the zone of now."""
    local = timezone.localtime(moment)
    date_form, time_form = _FORMS.get(get_language() or "en", _FORMS["en"])
    return f"{date_format(local, date_form)} {date_format(local, f'{time_form}:s')} {zone_name(local)}"


@register.simple_tag
def countdown(moment: datetime | None, over: str = "") -> SafeString:
    """Counts down in the browser; without scripts the minutes at the time of asking stand there."""
    if moment is None:
        return SafeString("")
    minutes = max(0, int((moment - timezone.now()).total_seconds() // 60))
    return format_html(
        '<span data-countdown="{}" data-over="{}">{}</span>',
        moment.isoformat(),
        over or "00:00",
        ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes},
    )


@register.simple_tag
def elapsed(moment: datetime | None) -> SafeString:
    if moment is None:
        return SafeString("")
    minutes = max(0, int((timezone.now() - moment).total_seconds() // 60))
    return format_html(
        '<span data-elapsed="{}">{}</span>',
        moment.isoformat(),
        ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes},
    )


@register.simple_tag
def now_iso() -> str:
    return timezone.now().isoformat(timespec="milliseconds")


@register.simple_tag
def day_unit() -> str:
    return pgettext("days, after a number, in a countdown", "d")


def decimal(value: float) -> str:
    """One place, with the sign that the reader's language puts before it."""
    return number_format(f"{value:.1f}", decimal_pos=1)


@register.filter
def breakable(code: str) -> SafeString:
    """A code may go on in the next line after each of its dots, and is copied as it was."""
    return format_html_join(SafeString(".<wbr>"), "{}", ((part,) for part in code.split(".")))


@register.filter
def minutes(count: int | None) -> str:
    """A length of time as people say it."""
    if count is None:
        return "—"
    if count < 90 or count % 30:
        return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}
    hours = count / 60
    if hours >= 48 and hours % 24 == 0:
        days = int(hours // 24)
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    if hours == int(hours):
        return ngettext("%(count)d hour", "%(count)d hours", int(hours)) % {"count": int(hours)}
    return _("%(count)s hours") % {"count": decimal(hours)}


@register.filter
def seconds(count: int) -> str:
    if count and count % 60 == 0:
        return str(minutes(count // 60))
    return ngettext("%(count)d second", "%(count)d seconds", count) % {"count": count}


@register.simple_tag
def silence_allowed() -> str:
    """For how long a gateway lets things run without a word from here."""
    return seconds(current().lease_s)


@register.filter
def size(count: int | None) -> str:
    """Bytes with binary prefixes; at most four digits."""
    if count is None:
        return "—"
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{decimal(value)} {unit}"


@register.simple_tag
@lru_cache(maxsize=_DRAWN)
def icon(name: str, classes: str = "") -> SafeString:
    """Decoration: what it means stands beside it in words. Drawn once: a page has hundreds."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        classes,
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def state(value: Any, kind: str = "") -> SafeString:
    """A state as icon, colour and word: none of them alone."""
    return _state(str(getattr(value, "value", value)), kind, get_language())


@lru_cache(maxsize=_DRAWN)
def _state(value: str, kind: str, _language: str | None) -> SafeString:
    shown = texts.state(value, kind)
    return format_html('<span class="state state-{}">{}{}</span>', shown.tone, icon(shown.icon), str(shown.text))


@register.simple_tag
def copyable(text: str, label: str = "") -> SafeString:
    return format_html(
        '<span class="copy"><code>{}</code><button type="button" data-copy="{}" data-copied="{}" aria-label="{}" '
        'title="{}">{}</button></span>',
        label or text,
        text,
        _("Copied."),
        _("Copy %(text)s") % {"text": label or text},
        _("Copy"),
        icon("copy"),
    )


@register.simple_tag
def command(text: str) -> SafeString:
    """A line to type, with a button that copies it."""
    return format_html(
        '<div class="command copy"><code>{}</code><button type="button" data-copy="{}" data-copied="{}" '
        'aria-label="{}" title="{}">{}</button></div>',
        text,
        text,
        _("Copied."),
        _("Copy this command"),
        _("Copy"),
        icon("copy"),
    )


@register.filter
def event_name(code: str) -> str:
    return texts.event(code)


@register.filter
def reason(code: str) -> str:
    return texts.reason(str(code))


@register.filter
def how_closed(code: str) -> str:
    return texts.how_closed(code)


@register.filter
def proof_level(protocol: str) -> str:
    """In two words."""
    return str(texts.PROOF_SHORT[levels.proof_level(protocol)])


@register.filter
def protocol(name: str) -> str:
    return texts.protocol(name)


@register.filter
def locked(kind: str) -> str:
    return str(texts.LOCKED[kind])


@register.filter
def windows(text: str) -> str:
    return texts.windows(text)


@register.inclusion_tag("console/parts/recognised.html")
def recognised(seen: str, declared: str) -> dict[str, object]:
    """What a connection was by its bytes, beside what its service is called."""
    info = levels.decoder_of(declared)
    return {
        "seen": texts.recognised(seen) if seen else "",
        "declared": texts.protocol(declared),
        "differs": agrees(info.name if info else declared, seen) is False,
    }


@register.inclusion_tag("console/parts/field.html")
def field(bound: BoundField, label: str = "", help: str = "", optional: bool = False) -> dict[str, Any]:
    """Label and help are the page's own; those of the sign-in library speak of things that we do not offer."""
    widget = bound.field.widget
    widget.attrs.pop("placeholder", None)  # it would vanish while one types
    if isinstance(widget, CheckboxInput):
        bound.field.widget.attrs.setdefault("class", "")
        return {"field": bound, "label": label or bound.label, "help": help, "checkbox": True}
    widget.attrs["class"] = "form-select" if isinstance(widget, Select) else "form-control"
    described = [f"{bound.auto_id}_help"] if help else []
    if bound.errors:
        described.append(f"{bound.auto_id}_faults")
        widget.attrs["aria-invalid"] = "true"
    if described:
        widget.attrs["aria-describedby"] = " ".join(described)
    return {"field": bound, "label": label or bound.label, "help": help, "optional": optional}


@register.inclusion_tag("console/parts/named_field.html")
def named_field(bound: BoundField, kind: str, label: str) -> dict[str, Any]:
    """A field for a name; htmx fetches what fits so far. What it was taken for is said where that is something else."""
    form, address = bound.form, reverse("console:event-names")
    names = getattr(form, "cleaned_data", {}).get(kind) if form.is_bound else None
    called = ", ".join(sorted({name for name in names.values() if name})[:_NAMES]) if isinstance(names, dict) else ""
    bound.field.widget.attrs |= {
        "list": f"{bound.auto_id}_offered", "hx-get": f"{address}?kind={kind}", "hx-swap": "innerHTML",
        "hx-trigger": "input changed delay:200ms", "hx-target": f"#{bound.auto_id}_offered", "hx-sync": "this:replace",
    }  # fmt: skip
    shown = field(bound, label, help=called if called != str(bound.value() or "") else "")
    return {**shown, "called": shown["help"]}


@register.filter
def signal_kinds(words: str) -> str:
    return signals.kinds(words)


@register.filter
def listed(words: Iterable[object]) -> str:
    """One after the other, as the language has it."""
    return pgettext("between the parts of a list", ", ").join(map(str, words))


@register.filter
def field_name(name: str) -> str:
    return texts.field_name(name)


@register.simple_tag(takes_context=True)
def with_page(context: Context, name: str, number: int) -> str:
    """This page's query with another part of one of its lists; an empty parameter is left out."""
    query = context["request"].GET.dict() | {name or "page": str(number)}
    return "?" + urlencode({name: value for name, value in query.items() if value})
