# SPDX-License-Identifier: Apache-2.0
"""Browsers of the characters, as the console meets them."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest
from django.test import Client

from portineria.control.identity.models import Person

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def signed_in(person: Person, *, proved: bool = False) -> Client:
    """``proved``: gave the password once more a moment ago."""
    client = Client(HTTP_HOST="localhost")
    client.force_login(person, backend=BACKEND)
    if proved:
        request = HttpRequest()
        request.session = client.session
        record_authentication(request, person, "password", reauthenticated=True)
        request.session.save()
    return client


def shown(client: Client, address: str) -> str:
    """What the page says; it has to be one."""
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()
