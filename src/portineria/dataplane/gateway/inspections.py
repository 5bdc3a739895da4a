# SPDX-License-Identifier: Apache-2.0
"""What of a session is inspected: by which protocol, under which profiles."""

from collections.abc import Callable
from functools import partial

from portineria.dataplane.aio.stream_end import Local
from portineria.dataplane.gateway.beginning import Beginning
from portineria.dataplane.gateway.functions import REFUSED, WOULD_REFUSE, Fields, Functions, Refusals, Verdict
from portineria.dataplane.gateway.held import Holds, Place, StreamHolds
from portineria.dataplane.gateway.inspected import InspectedDevice
from portineria.dataplane.gateway.read_first import ReadFirst
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.transfer import Transfer
from portineria.dataplane.gateway.work import Work
from portineria.policy.function_profile import BadProfile, decode_profile
from portineria.protocols.catalogue import ALL
from portineria.protocols.operation import Operation
from portineria.wire.statement import Asset, Order

INSPECTED_HERE = {info.name: info for info in ALL}


def uninspectable(order: Order) -> str | None:
    """The code of why this gateway cannot enforce what the order says of functions; None when it can."""
    for asset in order.assets:
        if asset.protocol not in INSPECTED_HERE and (asset.protocol or order.profiles):
            return "protocol.not-inspected"
    try:
        for profile in order.profiles:
            decode_profile(profile)
    except BadProfile:
        return "profile.unreadable"
    return None


def same_place(asset: Asset, order: Order) -> Asset | None:
    """The same service as the order names it, whatever is inspected there."""
    place = (asset.service, asset.address, asset.port, asset.transport)
    return next((one for one in order.assets if (one.service, one.address, one.port, one.transport) == place), None)


class Inspections:
    """Of one session, over all its connections."""

    def __init__(self, order: Order, spool: Spool, linked: Callable[[], bool], *, quiet_s: float) -> None:
        self._session, self._spool, self._work = order.session, spool, Work()
        self._functions, self._refusals = Functions(), Refusals(order.session, spool)
        self.holds = Holds(order.session, spool, self._refusals, linked)
        self.transfer = Transfer(order.session, spool, quiet_s)
        self.take(order)

    def take(self, order: Order) -> None:
        self._functions.take(order.profiles)

    def of(self, stream: str, asset: Asset) -> Callable[[Local], InspectedDevice] | None:
        """What to put before the device of a new stream; None where bytes pass as they come."""
        if not asset.protocol:
            return None
        info = INSPECTED_HERE[asset.protocol]
        own = frozenset(map(tuple, asset.own_routes)) or frozenset(info.own)

        def decide(
            operations: tuple[Operation, ...], earlier: Verdict | None = None, *, allowed: bool = False
        ) -> Verdict:
            verdict = self._functions.decide(operations, own, allowed=allowed, earlier=earlier)
            if verdict.refused:
                self._refusals.tell(REFUSED, stream, asset.service, verdict.refused)
            elif earlier is None and (allowed or not verdict.held):
                self.transfer.passed(operations)
            if verdict.noted:
                self._refusals.tell(WOULD_REFUSE, stream, asset.service, verdict.noted)
            return verdict

        patience_s = asset.client_timeout_ms / 1000 or info.patience_s
        holds = StreamHolds(self.holds, Place(stream, asset, patience_s, partial(decide, allowed=True)))
        work = self._work.of(asset.service)
        first = ReadFirst(asset.free_reads, frozenset(asset.free_nodes), work, own)
        return lambda device: InspectedDevice(device, info.begin(), decide, work=work, holds=holds, first=first)

    def over(self, inspected: InspectedDevice | None, beginning: Beginning | None) -> Fields:
        """A stream is over: what was merged is told before its end. Return what its end says besides."""
        self._refusals.flush()
        if inspected is None:
            recognised = beginning.recognised() if beginning is not None else ""
            return {"recognised": recognised} if recognised else {}
        if inspected.work is not None:
            inspected.work.close()
        return {"refused": inspected.refused}

    def tell_work(self) -> None:
        """All streams are over: what was done goes into the register."""
        self._work.tell(self._spool, self._session)
