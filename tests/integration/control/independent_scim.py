# SPDX-License-Identifier: Apache-2.0
"""The independent scim2-tester, and the people it may make up."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated, Any

import httpx
from pydantic import Field
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import Required, ScimProvider, Uniqueness
from scim2_tester import Status, check_server

from portineria.control.scim.resources import Group, User


class Addresses(list[str]):
    """Another one each time: the tester cannot know that people sign in by e-mail address, and takes an example."""

    def __getitem__(self, number: Any) -> Any:
        return f"{uuid.uuid4()}@plant.example"


class UserWithAnAddress(User):
    user_name: Annotated[str | None, Uniqueness.server, Required.true] = Field(None, examples=Addresses(["x"]))


UserWithAnAddress.__name__ = UserWithAnAddress.__qualname__ = "User"


def forwarding(url: str, line: httpx.Client) -> Any:
    """To the server, as the client of the tester calls applications. The tester deletes three hundred times what is
    gone already: what it is answered to the same deletion the second time is what it hears the other times.
    """
    deleted: dict[str, httpx.Response] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
        headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
        path = environ["PATH_INFO"] + (f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else "")
        method, body = environ["REQUEST_METHOD"], environ["wsgi.input"].read()
        answer = (deleted.get(path) if method == "DELETE" else None) or line.request(
            method, url + path, headers=headers, content=body
        )
        if method == "DELETE" and answer.status_code == 404:
            deleted[path] = answer
        start_response(f"{answer.status_code} {answer.reason_phrase}", list(answer.headers.items()))
        return [answer.content]

    return app


def checked(url: str, token: str) -> tuple[int, list[tuple[str | None, str | None]]]:
    """How much is right, and what is wrong."""
    # Plain HTTP on loopback: it need not read the certificates of authorities.
    with httpx.Client(verify=False) as line:  # noqa: S501
        client = WSGISCIMClient(
            forwarding(url, line), f"{url}/scim/v2", {"Authorization": f"Bearer {token}"},
            provider=ScimProvider(models=[UserWithAnAddress, Group]),
        )  # fmt: skip
        results = check_server(client)
    found = [(one.title, one.reason) for one in results if one.status not in (Status.SUCCESS, Status.SKIPPED)]
    return len([one for one in results if one.status is Status.SUCCESS]), found
