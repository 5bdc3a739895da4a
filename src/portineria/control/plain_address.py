# SPDX-License-Identifier: Apache-2.0
"""An address with U+0000 in it names nothing: PostgreSQL refuses to search for such a text, SQLite finds nothing."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portineria.control.api import refused
from portineria.control.identity.middleware import problem_page
from portineria.core.errors import NotFound


class PlainAddressMiddleware:
    """After those that know the language and the person. What forms and programs send is looked at by their parsers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" not in request.path and "%00" not in request.META.get("QUERY_STRING", ""):
            return self._get_response(request)
        error = NotFound("an address with U+0000")
        return refused(request, error) if request.path.startswith("/api/") else problem_page(request, error)
