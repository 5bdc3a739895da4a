# SPDX-License-Identifier: Apache-2.0
from urllib.parse import urlsplit

from django import template
from django.template.context import Context

from portineria.control.settings.server import is_number
from portineria.control.settings.start import current

register = template.Library()


@register.simple_tag(takes_context=True)
def passkeys_work(context: Context) -> bool:
    """Browsers refuse them where the address that they came by is a number."""
    return not is_number(urlsplit(f"//{context['request'].get_host()}").hostname or "")


@register.simple_tag
def named_address() -> str:
    """The console's own address where passkeys do work; empty where that is a number too."""
    return "" if is_number(current().host) else current().public_url
