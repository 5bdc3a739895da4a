# SPDX-License-Identifier: Apache-2.0
"""From when to when a permission holds; of what nobody has begun, how long it will and by when it may begin."""

from datetime import datetime

from django import template
from django.template.context import Context
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portineria.control.access.models import AccessRequest, Grant
from portineria.control.access.queries import MachineSight
from portineria.control.console.templatetags.console import countdown, day_form, minutes, span, when, zone_of
from portineria.control.console.texts import windows

register = template.Library()


@register.simple_tag(takes_context=True)
def granted(context: Context, grant: Grant, zone: str = "") -> SafeString:
    if grant.weekly:
        return format_html("{}, {}", windows(grant.weekly), span(context, grant.starts_at, grant.ends_at, zone))
    if grant.begun:
        return span(context, grant.starts_at, grant.ends_at, zone)
    return to_begin(context, grant.minutes, grant.ends_at, zone)


@register.simple_tag(takes_context=True)
def weekday(context: Context, moment: datetime, zone: str = "") -> str:
    return date_format(timezone.localtime(moment, zone_of(zone, context)), "D")


@register.simple_tag
def weekly(asked: AccessRequest) -> str:
    """Days, hours and the last day, by the clock of the plant."""
    assert asked.until is not None  # noqa: S101  # by a constraint
    last = date_format(asked.until, day_form())
    return _("%(weekly)s, until %(day)s") % {"weekly": windows(asked.weekly), "day": last}


@register.simple_tag(takes_context=True)
def to_begin(context: Context, count: int | None, begin_by: datetime, zone: str = "") -> SafeString:
    """The moment stands where its language wants it."""
    said = _("%(length)s from the first opening, to begin by %(moment)s")
    before, after = (said % {"length": minutes(count), "moment": "\0"}).split("\0")
    return format_html("{}{}{}", before, when(context, begin_by, zone), after)


@register.simple_tag(takes_context=True)
def open_for(context: Context, sight: MachineSight, zone: str = "") -> SafeString:
    """How much is left; before anything began, how much it will be."""
    if sight.begin_by is not None:
        return to_begin(context, sight.lasts_minutes, sight.begin_by, zone)
    return format_html('<span class="countdown">{}</span> {}', countdown(sight.ends_at), _("left"))
