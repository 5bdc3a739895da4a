# SPDX-License-Identifier: Apache-2.0
"""Emergencies at this machine: who asks, whether the server permitted it beforehand, and what is open.

The order of questions: is there a permission, is the machine free of locks, may it be reached and recorded from here;
only then are PINs looked at, so that a mistyped name costs no try.
"""

import ipaddress
from dataclasses import replace
from functools import partial

from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.gateway import emergency_opening, emergency_pins, emergency_terms
from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.emergency_opening import Network, Opening, What
from portineria.dataplane.gateway.emergency_terms import Terms, service_of
from portineria.dataplane.gateway.local_door import Answer, OpenNow
from portineria.dataplane.gateway.rate import PerMinute
from portineria.dataplane.gateway.session import Surroundings
from portineria.dataplane.gateway.store import Store, StoreFull
from portineria.wire.statement import Asset, EmergencyTerms, Order

SCHEMA = emergency_opening.SCHEMA + emergency_pins.SCHEMA + emergency_terms.SCHEMA
MOST_OPEN = 8  # at a time
REFUSALS_PER_MINUTE = 10  # that are told of, wrong PINs aside


class Refused(Exception):
    """``code``: why nothing was opened."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Emergency:
    """``open`` it when the recordings are; ``close`` it before them."""

    def __init__(self, store: Store, around: Surroundings) -> None:
        self._store, self._around = store, around
        self.terms = Terms(store, self._terms_changed)
        self._openings: dict[str, Opening] = {}
        self._tasks = Tasks()
        self._next_try = 0.0
        self._refusals = PerMinute(REFUSALS_PER_MINUTE)

    async def open(self) -> None:
        await self.terms.open()
        for opening in await self._store.submit(emergency_opening.left_open, reads=True):
            self._around.spool.record("emergency.ended", opening, how="gateway.restarted", to_device=0, from_device=0,
                                      also=emergency_opening.forget(opening))  # fmt: skip
        tries = await self._store.submit(emergency_pins.tried, reads=True)
        self._pause(tries.failures)
        if tries.untold:
            self._around.spool.record("emergency.refused", why="emergency.pins", failures=tries.failures,
                                      also=emergency_pins.wrong(tries.failures))  # fmt: skip

    async def close(self) -> None:
        self.end_all("gateway.stopped")
        await self._tasks.close()

    def end_all(self, how: str) -> int:
        """How many were open."""
        found = list(self._openings.values())
        for opening in found:
            opening.end(how)
        return len(found)

    def review(self) -> None:
        for opening in list(self._openings.values()):
            if self._around.reach.refuses(opening.what.service.address, opening.what.service.port) is not None:
                opening.end("emergency.withdrawn")
            opening.review()

    def _terms_changed(self) -> None:
        """A lock, or a permission that was taken back, ends what is open: the line is there again."""
        for opening in list(self._openings.values()):
            machine = self.terms.machine(opening.what.machine)
            permitted = self.terms.kept is not None and self.terms.kept.allowed
            if not permitted or machine is None or machine.locked or opening.what.service not in machine.services:
                opening.end("emergency.withdrawn")

    @property
    def shown(self) -> list[str]:
        return [f"{one.what.machine} {one.address[0]}:{one.address[1]}" for one in self._openings.values()]

    # -- opening -----------------------------------------------------------------------------------------------

    async def try_open(self, asked: OpenNow) -> Answer:
        try:
            return await self._open(asked)
        except Refused as refused:
            if self._refusals.take() and refused.code not in ("emergency.pins", "emergency.wait"):
                self._around.spool.record("emergency.refused", machine=self._id(asked), service=asked.service,
                                          why=refused.code, client=asked.client)  # fmt: skip
            return Answer(refused.code, {"seconds": max(0, round(self._next_try - boot_s()))})

    async def _open(self, asked: OpenNow) -> Answer:
        terms, what = self._wanted(asked)
        recording = self._order(terms, what)
        if (why := self._around.recordings.refuses(recording)) is not None:
            raise Refused(why)
        await self._check_pins(asked)
        what = replace(what, ends=boot_s() + asked.seconds)  # typing PINs takes nothing from it
        recorder = self._around.recordings.begin(recording)
        assert recorder is not None  # noqa: S101 - the order records
        try:
            opening = Opening(what, recorder, self._around, self._over)
        except OSError:
            recorder.finish("session.ended")
            raise Refused("client.unreachable") from None
        self._openings[what.opening] = opening
        try:
            await self._tell_opened(asked, what)
        except StoreFull:
            opening.end("spool.full")
            raise Refused("spool.full") from None
        if not opening.ended:  # cut while it was being written
            opening.begin(self._tasks.spawn)
        address, port = opening.address
        return Answer(said={"opening": what.opening, "address": address, "port": port, "seconds": asked.seconds})

    def _wanted(self, asked: OpenNow) -> tuple[EmergencyTerms, What]:
        """Everything but the PINs; raise Refused."""
        terms, machine = self.terms.kept, self.terms.machine(asked.machine)
        if terms is None or not terms.allowed:
            raise Refused("emergency.not-permitted")
        if (why := self._around.closed()) is not None:
            raise Refused(why)
        service = service_of(machine, asked.service) if machine is not None else None
        if machine is None or service is None:
            raise Refused("emergency.unknown")
        if machine.locked:
            raise Refused("emergency.locked")
        if asked.seconds > terms.minutes * 60 or len(self._openings) >= MOST_OPEN:
            raise Refused("emergency.too-long" if asked.seconds > terms.minutes * 60 else "emergency.too-many")
        if self._around.spool.full:
            raise Refused("spool.full")
        self._around.reach.refresh()
        if (why := self._around.reach.refuses(service.address, service.port)) is not None:
            raise Refused(why)
        client = _network(asked.client)
        return terms, What(new_id(Kind.SESSION), machine.machine, service, client, boot_s() + asked.seconds)

    def _order(self, terms: EmergencyTerms, what: What) -> Order:
        """What the recorder has to know, in its own words. Nobody signed it, and nothing else obeys it."""
        service = what.service
        return Order(
            organisation=terms.organisation, gateway=terms.gateway, session=what.opening, order_seq=1,
            session_spki_sha256=bytes(32), assets=[Asset(service.service, service.address, service.port)],
            profile="any", not_before_ms=0, expires_ms=0, max_legs=1, recording="strict", consent="none",
            on_silence="until_expiry", lease_s=1, drain_s=0, hold_s=0, signer_id="",
            recording_recipients=terms.recording_recipients,
        )  # fmt: skip

    async def _tell_opened(self, asked: OpenNow, what: What) -> None:
        await self._around.spool.record(
            "emergency.opened", what.opening, must=False, also=emergency_opening.remember(what.opening),
            machine=what.machine,
            service=what.service.service, address=what.service.address, port=what.service.port,
            seconds=asked.seconds, linked=self._around.linked(), holder=asked.first.holder,
            second=asked.second.holder, client=str(what.client), reason=asked.reason,
        )  # fmt: skip

    def _id(self, asked: OpenNow) -> str:
        """Empty for a machine that is not known here."""
        machine = self.terms.machine(asked.machine)
        return machine.machine if machine is not None else ""

    def _over(self, opening: Opening) -> None:
        self._openings.pop(opening.what.opening, None)

    # -- PINs --------------------------------------------------------------------------------------------------

    def _pause(self, failures: int) -> None:
        self._next_try = boot_s() + failures * self._around.settings.emergency_pause_s

    async def _check_pins(self, asked: OpenNow) -> None:
        """Both, of two people; raise Refused. A wrong one is an event, and delays the next try."""
        first, second = asked.first, asked.second
        if first.holder == second.holder or first.pin == second.pin:
            raise Refused("emergency.one-person")
        if boot_s() < self._next_try:
            raise Refused("emergency.wait")
        tries = await self._store.submit(emergency_pins.try_once)
        if tries.locked:
            raise Refused("emergency.pins-locked")
        self._pause(tries.failures)
        pins = await self._store.submit(emergency_pins.load, reads=True)
        right = [
            await in_thread(partial(emergency_pins.fits, pins, one.holder, one.pin)) for one in (first, second)
        ]  # both, whatever the first is
        if not all(right):
            await self._around.spool.record(
                "emergency.refused", machine=self._id(asked), service=asked.service, why="emergency.pins",
                failures=tries.failures, holder=first.holder, second=second.holder, client=asked.client,
                also=emergency_pins.wrong(tries.failures),
            )  # fmt: skip
            raise Refused("emergency.pins")
        self._next_try = 0.0
        await self._store.submit(emergency_pins.over, must=True)


def _network(text: str) -> Network:
    """One address, or a network of at most 256. Raise Refused."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=True)
    except ValueError:
        raise Refused("client.form") from None
    if found.num_addresses > 256 or found.is_loopback or found.is_multicast or found.is_unspecified:
        raise Refused("client.form")
    return found
