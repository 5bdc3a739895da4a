# SPDX-License-Identifier: Apache-2.0
"""When each signed-in browser was here last, for its owner's list of browsers."""

from collections.abc import Callable

import structlog
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portineria.control.identity.models import Person
from portineria.control.identity.use import note_use

log = structlog.get_logger()
_EVERY_S = 60  # a live page asks each second: that is no reason to write each second


class BrowserSeenMiddleware:
    """allauth's own writes with every request, so no page could be read while the database is locked or full."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key, person = request.session.session_key, getattr(request, "user", None)
        if key and isinstance(person, Person) and cache.add(f"browser-{key}", True, _EVERY_S):
            note_use(person, timezone.now())
            try:
                UserSession.objects.create_from_request(request)
            except OperationalError as error:  # the page matters more, and the row is there since the sign-in
                log.warning("browser.not-noted", why=str(error))
        return self._get_response(request)
