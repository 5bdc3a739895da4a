# SPDX-License-Identifier: Apache-2.0
"""What a load balancer asks: does this process live, and can it do its work?"""

from django.http import HttpRequest, HttpResponse

from portineria.control import readiness


def live(request: HttpRequest) -> HttpResponse:
    """200, and asks nobody: whoever restarts what does not live must not do so because a database is away."""
    return HttpResponse("ok\n", content_type="text/plain")


def health(request: HttpRequest) -> HttpResponse:
    """200, or 503 with a word for each cause; says nothing to strangers but that."""
    causes = readiness.causes()
    if causes:
        return HttpResponse("".join(f"{cause}\n" for cause in causes), status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
