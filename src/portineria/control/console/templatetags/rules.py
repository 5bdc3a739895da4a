# SPDX-License-Identifier: Apache-2.0
"""Parts of rules in words."""

from django import template

from portineria.control.access.models import RulePlace
from portineria.control.access.only_services import words_of
from portineria.control.console import rule_words

register = template.Library()


@register.filter
def in_one_line(kept: str) -> str:
    """Names of services."""
    return ", ".join(words_of(kept))


@register.filter
def place_words(place: RulePlace) -> str:
    return rule_words.place_words(place.kind, place.named)
