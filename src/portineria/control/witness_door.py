# SPDX-License-Identifier: Apache-2.0
"""POST /witness/add-checkpoint: this installation as a witness (https://c2sp.org/tlog-witness).

Nobody signs in here: what counts is the signature under the checkpoint. Its length is bounded by the body's limit and
by the parser.
"""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portineria.control.identity.cosigner import answer


@csrf_exempt
@require_POST
def add_checkpoint(request: HttpRequest) -> HttpResponse:
    given = answer(request.body)
    response = HttpResponse(given.body, status=given.status, content_type=given.content_type)
    response["Cache-Control"] = "no-store"
    return response
