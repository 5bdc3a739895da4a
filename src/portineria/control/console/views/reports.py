# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from portineria.control.console.evidence import bundle
from portineria.control.console.evidence_api import answered
from portineria.control.console.page import page
from portineria.control.identity.models import Person


@require_POST
@page
def evidence(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return answered(bundle(actor=actor, session=public_id))
