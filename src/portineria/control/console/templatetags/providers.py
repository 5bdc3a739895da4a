# SPDX-License-Identifier: Apache-2.0
from django import template

from portineria.control.console.texts.providers import REFUSALS
from portineria.control.identity.claims import Refusal
from portineria.control.identity.provider_queries import any_provider

register = template.Library()


@register.filter
def refusal(why: str) -> str:
    """What happened, and what to do."""
    return " ".join(str(text) for text in REFUSALS[Refusal(why)] if text)


@register.simple_tag
def companies_sign_in() -> bool:
    return any_provider()
