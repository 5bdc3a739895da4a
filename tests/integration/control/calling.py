# SPDX-License-Identifier: Apache-2.0
"""Programs that call the REST API: by a token, by a key-bound token, from a browser."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from portineria.control.identity import service_accounts
from portineria.control.identity.connector import base64url
from portineria.control.identity.models import Person
from tests.integration.control.world import World

BASE = "/api/rest/v1"
EVERYTHING = service_accounts.Powers(asks=True, operates=True)


class Program:
    """Of a service account. With ``bound`` its token is worth nothing without its key; with ``answered_by``
    it is an AI agent.
    """

    def __init__(
        self, world: World, powers: service_accounts.Powers = EVERYTHING, *, bound: bool = False, answered_by: str = ""
    ) -> None:
        self.key = Ed25519PrivateKey.generate() if bound else None
        self.account = service_accounts.create_service_account(
            actor=world.owner,
            organisation=world.organisation,
            name="Maintenance planner",
            answered_by=answered_by,
        )
        self.token, self.row = service_accounts.issue_token(
            actor=world.owner, account=self.account.public_id, name="server 1", days=30, powers=powers,
            key=self.key.public_key().public_bytes_raw() if self.key else b"",
        )  # fmt: skip

    def headers(self, method: str, path: str, data: bytes) -> dict[str, str]:
        if self.key is None:
            return {"Authorization": f"Bearer {self.token}"}
        at_ms, nonce = int(time.time() * 1000), secrets.token_bytes(16)
        covered = hashlib.sha256(self.token.encode()).digest() + f"{method} {path}".encode()
        covered += hashlib.sha256(data).digest() + at_ms.to_bytes(8, "big") + nonce
        proof = f"v1.{at_ms}.{base64url(nonce)}.{base64url(self.key.sign(covered))}"
        return {"Authorization": f"Portineria {self.token}", "Portineria-Proof": proof}

    def get(self, path: str) -> Any:
        return Client().get(f"{BASE}{path}", headers=self.headers("GET", f"{BASE}{path}", b""))

    def post(self, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> Any:
        data = json.dumps(body or {}).encode()
        headers = self.headers("POST", f"{BASE}{path}", data) | ({"Idempotency-Key": key} if key else {})
        return Client().post(f"{BASE}{path}", data, content_type="application/json", headers=headers)


class Browser:
    """Somebody who is signed in, with the page's token against forgery."""

    def __init__(self, person: Person) -> None:
        self.client = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
        self.client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        self.client.get("/account/")  # what is only done with the first request of a browser is done
        self.forgery = self.client.cookies["csrftoken"].value

    def get(self, path: str) -> Any:
        return self.client.get(f"{BASE}{path}")

    def post(self, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> Any:
        headers = {"X-CSRFToken": self.forgery} | ({"Idempotency-Key": key} if key else {})
        return self.client.post(
            f"{BASE}{path}", json.dumps(body or {}), content_type="application/json", headers=headers
        )


def items(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["items"]
    return found
