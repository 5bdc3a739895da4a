# SPDX-License-Identifier: Apache-2.0
"""Heads of columns by which a list can be sorted."""

from urllib.parse import urlencode

from django import template
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portineria.control.console.sorting import PARAMETER

register = template.Library()


@register.simple_tag(takes_context=True)
def column(context: Context, name: str, label: str) -> SafeString:
    """Click by click: upwards, downwards, as the list is by itself. Another order begins on its first page."""
    query = context["request"].GET.dict()
    now = query.get(PARAMETER, "")
    following = {name: f"-{name}", f"-{name}": ""}.get(now, name)
    query = {key: value for key, value in query.items() if key not in (PARAMETER, "page") and value}
    address = "?" + urlencode(query | ({PARAMETER: following} if following else {}))
    said = {name: "ascending", f"-{name}": "descending"}.get(now, "none")
    return format_html('<th scope="col" class="sort" aria-sort="{}"><a href="{}">{}</a></th>', said, address, label)


@register.simple_tag(takes_context=True)
def next_to(context: Context, side: str = "", cursor: str = "") -> str:
    """The address of this search's events ``older`` or ``newer`` than one of them; without any, of the newest."""
    query = context["request"].GET.dict()
    kept = {key: value for key, value in query.items() if key not in ("older", "newer") and value}
    return "?" + urlencode(kept | ({side: cursor} if side else {}))
