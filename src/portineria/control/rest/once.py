# SPDX-License-Identifier: Apache-2.0
"""What changes something: done once for each idempotency key, and told to the register with the token that did it.

The key's row, what is done, and the kept answer commit together or not at all: whoever heard no answer asks again with
the same key, and neither a crash nor a second request at the same time does it twice.
"""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar, cast

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Schema
from ninja.responses import NinjaJSONEncoder

from portineria.control.identity.api_tokens import note_act
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.control.rest.caller import address_of, caller_of
from portineria.control.rest.models import KeptAnswer
from portineria.core.errors import Conflict, Invalid

HEADER = "Idempotency-Key"
_FORM = re.compile(r"[A-Za-z0-9_.:-]{8,64}")
LIFE = timedelta(hours=24)
MOST = 1000  # keys of one account; the oldest are forgotten first
PARAMETER = {
    "in": "header", "name": HEADER, "required": False,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{8,64}$"},
    "description": "The same key with the same request is done once, for 24 hours; the answer is the first one's.",
}  # fmt: skip

Act = TypeVar("Act", bound=Callable[..., Any])


class KeyOfAnother(Invalid):
    code = "api.key-of-another"


class KeyInUse(Conflict):
    code = "api.key-in-use"


def once(act: Act) -> Act:
    @wraps(act)
    def done(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER, "")
        if HEADER in request.headers and not _FORM.fullmatch(key):
            raise BadField("idempotency_key", "8 to 64 letters, digits, _ . : -")
        with transaction.atomic():
            kept = _claimed(caller_of(request).person, key, request) if key else None
            if kept is not None and kept.answer:
                return _again(kept)
            answer = act(request, *args, **kwargs)
            _note(request, act)
            if kept is not None:
                kept.answer = _written(answer)
                kept.save(update_fields=["answer"])
        return answer

    return cast(Act, done)


def _written(answer: Schema) -> bytes:
    """As ninja writes it, so that the second answer is the first one, byte for byte."""
    return json.dumps(answer.model_dump(), cls=NinjaJSONEncoder).encode()


def _note(request: HttpRequest, act: Callable[..., Any]) -> None:
    """Afterwards, in the same transaction: rows are locked before the ledger (decision 0017)."""
    if (token := caller_of(request).token) is not None:
        note_act(token, act.__name__.replace("_", "-"), address_of(request))


def _claimed(person: Person, key: str, request: HttpRequest) -> KeptAnswer:
    """The row of this key, which holds whoever else brings it until we are done. Raise KeyOfAnother, KeyInUse."""
    digest = sha256(f"{request.method} {request.get_full_path()}\n".encode() + request.body).digest()
    _forget(person)
    try:
        with transaction.atomic():
            return KeptAnswer.objects.create(person=person, key=key, request_sha256=digest)
    except IntegrityError:
        row = KeptAnswer.objects.filter(person=person, key=key).first()
    if row is None:
        raise KeyInUse(f"{key} was just forgotten")
    if bytes(row.request_sha256) != digest:
        raise KeyOfAnother(f"{key} came with another request")
    return row


def _again(kept: KeptAnswer) -> HttpResponse:
    response = HttpResponse(bytes(kept.answer), content_type="application/json")
    response["Idempotency-Replayed"] = "true"
    return response


def _forget(person: Person) -> None:
    mine = KeptAnswer.objects.filter(person=person)
    mine.filter(made_at__lt=timezone.now() - LIFE).delete()
    beyond = mine.order_by("-pk").values_list("pk", flat=True)[MOST - 1 : MOST].first()
    if beyond is not None:
        mine.filter(pk__lte=beyond).delete()
