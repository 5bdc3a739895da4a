# SPDX-License-Identifier: Apache-2.0
"""Single fields of a declared file: each returns what is kept, or raises BadField."""

import ipaddress
from collections.abc import Callable, Iterable
from functools import partial

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from portineria.control.identity.services import BadField, clean_name
from portineria.core.time_zones import time_zones

Clean = Callable[[str], str]


def one_of(field: str, values: Iterable[str]) -> Clean:
    allowed = list(values)

    def clean(text: str) -> str:
        if text not in allowed:
            raise BadField(field, f"one of {', '.join(allowed)}")
        return text

    return clean


def named(field: str, characters: int = 120) -> Clean:
    return partial(clean_name, field=field, characters=characters)


def tag(text: str) -> str:
    return clean_name(text, "tag", characters=60) if text.strip() else ""


def line(text: str) -> str:
    """Empty: it stands in no line."""
    return clean_name(text, "line") if text.strip() else ""


def time_zone(text: str) -> str:
    if text not in time_zones():
        raise BadField("time_zone", "not a name of the tz database, such as Europe/Rome")
    return text


def email(field: str) -> Clean:
    def clean(text: str) -> str:
        try:
            validate_email(found := text.strip().lower())
        except ValidationError as error:
            raise BadField(field, "not an e-mail address") from error
        if len(found) > 254:  # identity.Person.email
            raise BadField(field, "longer than 254 characters")
        return found

    return clean


def nobody_or_email(field: str) -> Clean:
    clean = email(field)
    return lambda text: clean(text) if text.strip() else ""


def address(text: str) -> str:
    try:
        parsed = ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise BadField("address", "an IPv4 or IPv6 address; gateways ask no name server") from error
    if parsed.is_multicast or parsed.is_unspecified or getattr(parsed, "scope_id", None):
        raise BadField("address", "not the address of one device")
    return str(parsed)
