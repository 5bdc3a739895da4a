# SPDX-License-Identifier: Apache-2.0
"""Parts of rules in words."""

from django import template

from portineria.control.access.models import Rule, RulePlace
from portineria.control.access.only_services import words_of
from portineria.control.access.profiles import mark_of
from portineria.control.console import rule_words
from portineria.control.console.templatetags.console import listed

register = template.Library()


@register.filter
def in_one_line(kept: str) -> str:
    """Names of services."""
    return listed(words_of(kept))


@register.filter
def mark(rule: Rule) -> str:
    """Of what a yes under it opens, to come back with the yes."""
    return mark_of(rule)


@register.filter
def place_words(place: RulePlace) -> str:
    return rule_words.place_words(place.kind, place.named)
