# SPDX-License-Identifier: Apache-2.0
"""A method that an address does not take is refused as everything else is here; ninja answers it itself, in words."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portineria.control.api import refused
from portineria.core.errors import Invalid


class WrongMethod(Invalid):
    """405; ``Allow`` says which it takes (RFC 9110, 15.5.6)."""

    code = "api.method"


class MethodMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code != 405 or not request.path.startswith("/api/"):
            return response
        problem = refused(request, WrongMethod(f"not by {request.method}"))
        problem["Allow"] = response["Allow"]
        return problem
