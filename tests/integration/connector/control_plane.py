# SPDX-License-Identifier: Apache-2.0
"""The control plane's answers about one machine and one session, for a responder to give."""

from collections.abc import Callable
from typing import Any

from portineria.dataplane.connector.api import decode
from portineria.wire.statement import sha256
from tests.integration.connector.relay_world import MACHINE, SESSION, World
from tests.integration.connector.responder import Answer, Asked, Responder

ABSENT = 404, {"code": "not-found", "title": "Not found"}
STATE = {"session": SESSION, "state": "live"}


class ControlPlane:
    """Answers about one machine and one session of ``world``; ``change`` alters what it says."""

    def __init__(self, world: World, responder: Responder) -> None:
        self.world, self.responder = world, responder
        self.change: Callable[[dict[str, Any]], None] = lambda _answer: None
        self.key = ""
        responder.answers = {
            "GET /api/v1/machines/Press%203": self.machine,
            "POST /api/v1/sessions": self.start,
            f"POST /api/v1/sessions/{SESSION}/tickets": self.tickets,
            f"GET /api/v1/sessions/{SESSION}": (200, STATE),
            f"POST /api/v1/sessions/{SESSION}/end": (200, STATE),
        }

    def machine(self, _asked: Asked) -> Answer:
        found = {"machine": MACHINE, "name": "Press 3", "sight": "reachable", "services": self.world.services}
        return 200, found

    def start(self, asked: Asked) -> Answer:
        if asked.json["machine"] not in (MACHINE, "Press 3"):
            return ABSENT
        self.key = asked.json["key"]
        answer = self.world.session_answer(self.key)
        self.change(answer)
        return 200, answer

    def tickets(self, _asked: Asked) -> Answer:
        tickets = self.world.tickets(sha256(decode(self.key)))
        return 200, {**STATE, "relays": self.world.relay_list(), "tickets": tickets}

    def asked(self, line: str) -> int:
        return sum(f"{asked.method} {asked.path}" == line for asked in self.responder.asked)
