# SPDX-License-Identifier: Apache-2.0
"""Evidence for programs: the same file as on the session's page."""

from django.http import HttpRequest, HttpResponse
from ninja import Router

from portineria.control.console.evidence import Bundle, bundle
from portineria.control.identity.api import ERRORS, connector, person_of

router = Router(tags=["evidence"], auth=connector)


@router.get("/sessions/{session}/evidence", response={200: None, **ERRORS})
def fetch(request: HttpRequest, session: str) -> HttpResponse:
    """A zip for `portineria evidence verify`."""
    return answered(bundle(actor=person_of(request), session=session))


def answered(made: Bundle) -> HttpResponse:
    response = HttpResponse(made.content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{made.name}"'
    response["Cache-Control"] = "no-store"
    return response
