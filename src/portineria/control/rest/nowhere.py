# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest, HttpResponse

from portineria.control.api import refused
from portineria.core.errors import NotFound


def nowhere(request: HttpRequest, rest: str) -> HttpResponse:
    """No operation has this address: said as everything else is said here."""
    return refused(request, NotFound("no such operation"))
