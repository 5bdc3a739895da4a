# SPDX-License-Identifier: Apache-2.0
"""Orders, withdrawals and leases as they arrive: which are obeyed, and what is remembered of them.

Everything is decided in memory in the order of arrival, so that a cut waits for nothing; an order is obeyed once it
is on the disk.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from portineria.dataplane.gateway.admission import Admissions
from portineria.dataplane.gateway.clock import TrustedClock, boot_s
from portineria.dataplane.gateway.inspections import uninspectable
from portineria.dataplane.gateway.permit import Ending, Permit
from portineria.dataplane.gateway.rate import PerMinute
from portineria.dataplane.gateway.seen import (
    Seen,
    all_running,
    all_seen,
    forget,
    forget_stream,
    remember,
    with_order,
    with_withdrawal,
)
from portineria.dataplane.gateway.session import Session, Surroundings, Totals, end_unreachable
from portineria.dataplane.gateway.store import Store, StoreFull
from portineria.dataplane.gateway.waiting import WaitingOrders
from portineria.wire.statement import HoldAnswer, Leases, Order, Withdrawal, sha256

log = structlog.get_logger()
REFUSALS_PER_MINUTE = 30  # that are recorded: a relay that replays must not be able to flood the ledger


class Orders:
    def __init__(
        self, store: Store, clock: TrustedClock, around: Surroundings, *, on_change: Callable[[], None]
    ) -> None:
        self._store, self.clock, self._around, self._on_change = store, clock, around, on_change
        self._seen: dict[str, Seen] = {}
        self._waiting = WaitingOrders(lambda order, digest: self._refuse(order, digest, "time.unknown"))
        self._refusals = PerMinute(REFUSALS_PER_MINUTE)
        self._accepting: set[bytes] = set()
        self.admissions = Admissions(around)
        self.sessions: dict[str, Session] = {}

    async def open(self) -> None:
        """What was seen before; streams that ran when the last process died are reported as lost."""
        self._seen = {seen.session: seen for seen in await self._store.submit(all_seen, reads=True)}
        for session, stream in await self._store.submit(all_running, reads=True):
            self._record("stream.closed", session, stream=stream, how="gateway.restarted", also=forget_stream(stream))
        for seen in list(self._seen.values()):
            if not seen.ended and seen.withdrawn_seq >= seen.order_seq:
                self._ended_unseen(seen, "drained", "gateway.restarted")

    def _record(self, code: str, session: str, **fields: object) -> None:
        self._around.spool.record(code, session, **fields)  # type: ignore[arg-type]

    # -- orders ------------------------------------------------------------------------------------------------

    def order(self, order: Order, order_sha256: bytes) -> None:
        if not self.clock.known:
            self._waiting.add(order, order_sha256, self._around.settings.time_wait_s)
            return
        live = self.sessions.get(order.session)
        if order_sha256 in self._accepting or (live is not None and live.order_sha256 == order_sha256):
            return  # said twice, over two relays or after a reconnect
        seen = self._seen.get(order.session)
        reason = self._refuses(order, order_sha256, seen)
        if reason is not None:
            self._refuse(order, order_sha256, reason)
            return
        self._accepting.add(order_sha256)
        accepted = self._seen[order.session] = with_order(seen, order, order_sha256)
        recorded = self._around.spool.record(
            "order.accepted", order.session, must=False, also=remember(accepted), order_seq=order.order_seq,
            order_sha256=order_sha256.hex(), expires_ms=order.expires_ms,
        )  # fmt: skip
        recorded.add_done_callback(lambda done: self._accepted(done, order, order_sha256, seen))

    def _refuses(self, order: Order, order_sha256: bytes, seen: Seen | None) -> str | None:
        if order.expires_ms <= self.clock.unix_ms or order.expires_ms <= order.not_before_ms:
            return "order.expired"
        if self.admissions.session_of(order.session_spki_sha256) not in (None, order.session):
            return "order.key-used"
        if self._around.spool.full:
            return "spool.full"
        here = self._around
        if (why := here.closed() or uninspectable(order) or here.recordings.refuses(order)) is not None:
            return why
        return seen.refuses(order, order_sha256) if seen is not None else None

    def _accepted(self, done: "asyncio.Future[int]", order: Order, order_sha256: bytes, before: Seen | None) -> None:
        """It is on the disk; a withdrawal or a newer order may have come meanwhile."""
        self._accepting.discard(order_sha256)
        seen = self._seen[order.session]
        if done.cancelled():
            return
        if isinstance(done.exception(), StoreFull):
            if seen.order_sha256 == order_sha256 and seen.withdrawn_seq < order.order_seq and before is not None:
                self._seen[order.session] = before
            elif seen.order_sha256 == order_sha256 and seen.withdrawn_seq < order.order_seq:
                del self._seen[order.session]
            self._refuse(order, order_sha256, "spool.full")
            return
        if seen.ended or seen.order_sha256 != order_sha256 or seen.withdrawn_seq >= order.order_seq:
            return
        self._begin(order, order_sha256)

    def _begin(self, order: Order, order_sha256: bytes) -> None:
        permit = Permit(
            not_before=self.clock.boot_of(order.not_before_ms), expires=self.clock.boot_of(order.expires_ms),
            lease_s=order.lease_s, drain_s=order.drain_s, on_silence=order.on_silence, order_sha256=order_sha256,
        )  # fmt: skip
        live = self.sessions.get(order.session)
        if live is None:
            live = Session(order, order_sha256, permit, self._around, self._session_ended)
            self.sessions[order.session] = live
            self.admissions.add(order.session_spki_sha256, live)
            live.review()
        else:
            self.admissions.rename(live.order.session_spki_sha256, order.session_spki_sha256)
            live.supersede(order, order_sha256, permit)
        log.info("order.accepted", session=order.session, order_seq=order.order_seq)
        self._on_change()

    def _refuse(self, order: Order, order_sha256: bytes, reason: str) -> None:
        log.warning("order.refused", session=order.session, reason=reason)
        if self._refusals.take():
            fields = {"order_seq": order.order_seq, "order_sha256": order_sha256.hex(), "reason": reason}
            self._record("order.refused", order.session, **fields)

    # -- time --------------------------------------------------------------------------------------------------

    def time_known(self) -> None:
        """Call when the clock was set: what waited for it is decided now."""
        for order, order_sha256 in self._waiting.take_all():
            self.order(order, order_sha256)

    def clock_stepped(self) -> None:
        """Deadlines are kept on CLOCK_BOOTTIME: reckon them anew."""
        for live in self.sessions.values():
            live.permit.not_before = self.clock.boot_of(live.order.not_before_ms)
            live.permit.expires = self.clock.boot_of(live.order.expires_ms)
        self.review()

    # -- leases and withdrawals --------------------------------------------------------------------------------

    def leases(self, leases: Leases) -> None:
        sent = self.clock.sent_at(leases.nonce)
        if sent is None:
            log.info("lease.unasked")
            return
        for lease in leases.leases:
            if (live := self.sessions.get(lease.session)) is not None:
                live.lease(lease.order_sha256, sent, lease.lease_s)

    def withdrawal(self, withdrawal: Withdrawal, arrived: float) -> None:
        seen = self._seen.get(withdrawal.session)
        if seen is not None and (seen.ended or withdrawal.order_seq < seen.order_seq):
            log.info("withdrawal.stale", session=withdrawal.session)
            return
        self._waiting.withdraw(withdrawal)
        seen = with_withdrawal(seen, withdrawal.session, withdrawal.order_seq, self.clock.unix_ms)
        self._seen[withdrawal.session] = seen
        live = self.sessions.get(withdrawal.session)
        if live is None:
            ending: Ending = "cut" if withdrawal.ending == "cut" else "finished"
            self._ended_unseen(seen, ending, withdrawal.reason, arrived)
        elif withdrawal.ending == "cut":
            live.cut(withdrawal.reason, arrived)
        else:
            self._store.submit(remember(seen), must=True)
            live.drain(withdrawal.order_seq, withdrawal.drain_s, withdrawal.reason)

    # -- ends --------------------------------------------------------------------------------------------------

    def _session_ended(self, session: Session, ending: Ending, reason: str, arrived: float | None) -> None:
        name = session.order.session
        self.sessions.pop(name, None)
        self.admissions.end(session.order.session_spki_sha256)
        self._receipt(self._seen[name], ending, reason, arrived, session.totals)
        self._on_change()

    def _ended_unseen(self, seen: Seen, ending: Ending, reason: str, arrived: float | None = None) -> None:
        """It ended without ever having run in this process: the control plane still gets its receipt."""
        self._receipt(seen, ending, reason, arrived, Totals())

    def _receipt(self, seen: Seen, ending: Ending, reason: str, arrived: float | None, totals: Totals) -> None:
        ended = self._seen[seen.session] = replace(seen, ended=True)
        latency = {} if arrived is None else {"latency_ms": round((boot_s() - arrived) * 1000)}
        self._record(
            "session.ended", seen.session, ending=ending, reason=reason, streams=totals.streams,
            to_device=totals.to_device, from_device=totals.from_device, order_sha256=seen.order_sha256.hex(),
            also=remember(ended), **latency,
        )  # fmt: skip
        log.info("session.ended", session=seen.session, ending=ending, reason=reason)

    # -- now and then ------------------------------------------------------------------------------------------

    def review(self) -> None:
        """Ends what is over, also of orders that came before a restart; forgets what can no longer be replayed."""
        for live in list(self.sessions.values()):
            if self._around.spool.full:
                live.permit.obstruct(boot_s(), "spool.full")
            else:
                live.permit.clear()
            live.review()
        if not self.clock.known:
            return
        now_ms = self.clock.unix_ms
        over = [seen for seen in self._seen.values() if seen.expires_ms < now_ms and seen.session not in self.sessions]
        for seen in over:
            if not seen.ended:
                self._ended_unseen(seen, "expired", "order.expired")
            del self._seen[seen.session]
        if over:
            self._store.submit(forget(now_ms), must=True)

    def reach_changed(self) -> None:
        for live in list(self.sessions.values()):
            end_unreachable(live, self._around.reach)

    def stop(self) -> None:
        """This process ends. The sessions may go on in the next one, their streams cannot."""
        for live in list(self.sessions.values()):
            live.stop()

    @property
    def streams(self) -> int:
        return sum(session.load for session in self.sessions.values())


def obey(orders: Orders, letter: Order | Withdrawal | Leases | HoldAnswer, exact: bytes, arrived: float) -> None:
    """One letter about a session. ``exact``: its bytes; ``arrived``: when it came."""
    if isinstance(letter, Withdrawal):
        orders.withdrawal(letter, arrived)
    elif isinstance(letter, Order):
        orders.order(letter, sha256(exact))
    elif isinstance(letter, Leases):
        orders.leases(letter)
    elif (live := orders.sessions.get(letter.session)) is not None and orders.clock.known:
        live.inspections.holds.answer(letter, orders.clock.boot_of(letter.not_after_ms))
