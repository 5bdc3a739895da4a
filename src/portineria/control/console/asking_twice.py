# SPDX-License-Identifier: Apache-2.0
"""The page that lists what a change would end, and sends the same form once more with a second yes."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portineria.control.identity.models import Person
from portineria.control.remote_sessions.second_yes import SecondYes, foreseen

P = ParamSpec("P")
T = TypeVar("T")
View = Callable[Concatenate[HttpRequest, Person, P], HttpResponse]
_FIELD = "confirm"
_SHOWN = 50  # sessions by name; of the others, how many


def asking_twice(view: View[P]) -> View[P]:
    """Inside ``page``. Nothing of the change is kept where a second yes is asked for."""

    @wraps(view)
    def asked(request: HttpRequest, actor: Person, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, actor, *args, **kwargs)
        except SecondYes as error:
            error.pause()
            kept = [
                (name, value)
                for name, values in request.POST.lists()
                for value in values
                if name not in (_FIELD, "csrfmiddlewaretoken")
            ]
            context = {
                "sessions": error.sessions[:_SHOWN], "more": max(0, len(error.sessions) - _SHOWN),
                "count": len(error.sessions), "confirm": " ".join(error.ids), "kept": kept,
            }  # fmt: skip
            return render(request, "console/second_yes.html", context)

    return cast(View[P], asked)


def once_seen(request: HttpRequest, act: Callable[[], T], *, actor: Person, organisation: int) -> Callable[[], T]:
    """``act``, unless it would end sessions that whoever asks has not seen."""
    confirmed = request.POST.get(_FIELD, "").split()
    return lambda: foreseen(act, actor=actor, organisation=organisation, confirmed=confirmed)
