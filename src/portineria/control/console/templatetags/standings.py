# SPDX-License-Identifier: Apache-2.0
"""The standing of suppliers in words, and days without an hour."""

from datetime import date

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language

from portineria.control.identity.models import Supplier
from portineria.control.notification.standings import AHEAD

register = template.Library()
_FORMS = {"en": "j M Y", "it": "j b Y", "ja": "Y年n月j日"}


@register.filter
def day(one: date) -> str:
    return str(date_format(one, _FORMS.get(get_language() or "en", _FORMS["en"])))


@register.inclusion_tag("console/parts/standing.html")
def standing(supplier: Supplier) -> dict[str, object]:
    """As it was assessed last, and until when that counts. For the organisation's own people only."""
    until = supplier.standing_until
    left = (until - timezone.now().date()).days if until is not None else 0
    return {
        "level": supplier.standing, "until": until, "over": left < 0, "left": left,
        "soon": 0 <= left < AHEAD[-1].days,
    }  # fmt: skip
