# SPDX-License-Identifier: Apache-2.0
"""How operations are declared: what they need, what they answer, and how they may be refused."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from ninja import Path, Router, Schema
from pydantic import ConfigDict, Field

from portineria.control.identity.api import Asked, Problem
from portineria.control.rest.caller import Needs, Scope
from portineria.control.rest.once import PARAMETER, once

ERRORS = dict.fromkeys((401, 403, 404, 409, 413, 422, 429, 503), Problem)
F = TypeVar("F", bound=Callable[..., Any])


class Given(Asked):
    """A body. What is not known is refused: a misspelt field would be left out otherwise."""

    model_config = ConfigDict(extra="forbid")


def reads(router: Router, path: str, answer: type[Schema]) -> Callable[[F], F]:
    extra = {"x-scope": Scope.READ.value}
    return router.get(path, auth=Needs(Scope.READ), response={200: answer, **ERRORS}, openapi_extra=extra)


def acts(router: Router, path: str, answer: type[Schema], scope: Scope) -> Callable[[F], F]:
    """A POST, done once for each idempotency key."""

    def declared(act: F) -> F:
        extra = {"parameters": [PARAMETER], "x-scope": scope.value}
        post = router.post(path, auth=Needs(scope), response={200: answer, **ERRORS}, openapi_extra=extra)
        post(once(act))
        return act

    return declared


def tries(router: Router, path: str, answer: type[Schema], scope: Scope) -> Callable[[F], F]:
    """A POST that reaches somebody else's computer: it takes seconds, and is never one transaction."""
    extra = {"x-scope": scope.value}
    return router.post(path, auth=Needs(scope), response={200: answer, **ERRORS}, openapi_extra=extra)


class Reason(Given):
    reason: str = Field(min_length=1, max_length=500, description="Kept with the event.")


class Confirmed(Given):
    """``confirm``: ids of open sessions that may end by it, where it was refused with `session.second-yes` before and
    listed them; nothing is done if it would end others by now.
    """

    confirm: list[Annotated[str, Field(max_length=24)]] = Field(default=[], max_length=2000)


class ConfirmedReason(Confirmed):
    reason: str = Field(min_length=1, max_length=500, description="Kept with the event.")


class MaybeReason(Given):
    reason: str = Field(default="", max_length=500)


Id = Annotated[str, Path(max_length=200)]
