# SPDX-License-Identifier: Apache-2.0
"""The events that gateways reported, each gateway's in the order of its chain."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

from portineria.wire.report import Context, Event
from tests.integration.process import WAIT_S


@dataclass(frozen=True)
class Stored:
    """An event as the control plane keeps it."""

    context: Context
    event: Event
    sha256: bytes

    def __getattr__(self, name: str) -> object:
        return getattr(self.event, name)


class Register:
    def __init__(self) -> None:
        self.events: dict[str, list[Stored]] = defaultdict(list)  # in the order of their chain, per gateway
        self.faults: list[str] = []  # gaps, forks, clones, broken seals

    def keep(self, context: Context, event: Event, digest: bytes) -> Stored | None:
        """Return the newest of its chain; None where something is missing before it."""
        kept = self.events[context.gateway]
        same = [one for one in kept if (one.context.epoch, one.context.seq) == (context.epoch, context.seq)]
        if same:
            if same[0].sha256 != digest:
                self.faults.append(f"forked at {context.seq}")
        else:
            last = kept[-1] if kept and kept[-1].context.epoch == context.epoch else None
            expected = (last.context.seq + 1, last.sha256) if last else (1, bytes(32))
            if (context.seq, context.prev_sha256) != expected:
                self.faults.append(f"gap at {context.seq}, expected {expected[0]}")
                return None
            kept.append(Stored(context, event, digest))
        return kept[-1]

    def found(self, gateway: str, code: str, session: str | None = None, **fields: object) -> list[Event]:
        """The events of this code (session, fields), in order."""
        return [
            one.event
            for one in self.events[gateway]
            if one.event.code == code
            and session in (None, one.event.session)
            and all(one.event.fields.get(name) == value for name, value in fields.items())
        ]

    async def event(self, gateway: str, code: str, session: str | None = None, **fields: object) -> Event:
        """The first such event, when it has come."""

        def why() -> str:
            return f"{code} {fields}; there are {[(one.code, one.fields) for one in self.events[gateway]]}"

        deadline = time.monotonic() + WAIT_S
        while not (found := self.found(gateway, code, session, **fields)):
            assert time.monotonic() < deadline, why()
            await asyncio.sleep(0.005)
        return found[0]
