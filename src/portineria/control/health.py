# SPDX-License-Identifier: Apache-2.0
"""What a load balancer asks: does this process live, and can it do its work?"""

from django.http import HttpRequest, HttpResponse

from portineria.control import readiness


def live(request: HttpRequest) -> HttpResponse:
    """200, and asks nobody: whoever restarts what does not live must not do so because a database is away."""
    return HttpResponse("ok\n", content_type="text/plain")


def health(request: HttpRequest) -> HttpResponse:
    """A word for each cause, and 503 where pages cannot be shown; says nothing to strangers but that.

    Without the bus they can: it is one for all processes, and a load balancer that heeded it would take them all out.
    """
    causes = readiness.causes()
    status = 503 if readiness.STOPS_PAGES.intersection(causes) else 200
    return HttpResponse("".join(f"{line}\n" for line in causes or ["ok"]), status=status, content_type="text/plain")
