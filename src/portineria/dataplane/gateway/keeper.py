# SPDX-License-Identifier: Apache-2.0
"""Keeps the newest checkpoint of the organisation's register and notices when a newer one does not continue it.

An answer counts once, and only against the checkpoint for which it was asked: a relay that repeats, delays or mixes old
answers changes nothing. Nothing here ends a session: a register that was put back is an alarm, no lock.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from cryptography import x509

from portineria.dataplane.gateway import register
from portineria.dataplane.gateway.clock import QUESTIONS_KEPT, TrustedClock
from portineria.dataplane.gateway.register import EVIDENCE, Contradiction, Memory
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.status import RegisterStatus
from portineria.dataplane.gateway.store import Store
from portineria.ledger.checkpoint import Checkpoint, origin_of, read_checkpoint
from portineria.ledger.keeping import Contradicted, check_follows
from portineria.ledger.merkle import EMPTY_ROOT
from portineria.ledger.note import check_signed
from portineria.ledger.trust import checkpoint_keys
from portineria.wire.certificate import installation_of
from portineria.wire.enrolment import Trust
from portineria.wire.statement import RegisterCheckpoint

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Kept:
    note: str
    checkpoint: Checkpoint


class Keeper:
    """``every_s``: a busy gateway asks more often than checkpoints are worth proving."""

    def __init__(
        self, store: Store, spool: Spool, clock: TrustedClock, trust: Callable[[], Trust], *, every_s: float
    ) -> None:  # fmt: skip
        self._store, self._spool, self._clock, self._trust, self._every_s = store, spool, clock, trust, every_s
        installation = installation_of(x509.load_der_x509_certificate(trust().root))
        self._issuer = x509.load_der_x509_certificate(trust().issuers["signer"])
        self._nothing = _Kept("", Checkpoint(origin_of(installation, trust().organisation), 0, EMPTY_ROOT))
        self._stored = self._believed = self._nothing  # on the disk; and what is on its way there
        self._open: list[Contradiction] = []
        self._asked: OrderedDict[bytes, str] = OrderedDict()
        self._due = self._confirmed_ms = 0.0
        self._loading = False

    async def open(self) -> None:
        self._loaded(await self._store.submit(register.load, must=True))

    # -- asking ------------------------------------------------------------------------------------------------

    def asked(self, nonce: bytes) -> int | None:
        """What the question with this nonce says of the register: the size that is kept; None when it need not ask."""
        if asyncio.get_running_loop().time() < self._due:
            return None
        self._asked[nonce] = self._stored.note
        while len(self._asked) > QUESTIONS_KEPT:
            self._asked.popitem(last=False)
        return self._stored.checkpoint.size

    def ask_again(self) -> None:
        """With the next question: a link is new, or a signer."""
        self._due = 0.0

    # -- hearing -----------------------------------------------------------------------------------------------

    def take(self, letter: RegisterCheckpoint) -> None:
        """Raise ProtocolError for what is signed by nobody known here: that is neither kept nor an alarm."""
        before = self._asked.pop(letter.nonce, None)
        if before != self._believed.note or letter.old_size != self._believed.checkpoint.size:
            log.info("register.not-asked")
            return
        self._due = asyncio.get_running_loop().time() + self._every_s
        parsed, new = read_checkpoint(letter.note)
        check_signed(parsed, checkpoint_keys(new.origin, self._trust().signers.values(), self._issuer))
        try:
            check_follows(self._believed.checkpoint, new, letter.proof)
        except Contradicted as error:
            self._contradicted(letter.note, new, error)
        else:
            self._follow(_Kept(letter.note, new))

    def _follow(self, new: _Kept) -> None:
        self._confirmed_ms = self._clock.unix_ms
        if new.checkpoint == self._believed.checkpoint:
            return
        before, self._believed, at_ms = self._believed.note, new, self._clock.unix_ms
        self._asked.clear()  # their answers begin at a checkpoint that is not the newest any more
        kept = self._store.submit(lambda db: register.keep(db, before, new.note, at_ms))
        kept.add_done_callback(lambda done: self._kept(done, new))

    def _kept(self, done: "asyncio.Future[bool]", new: _Kept) -> None:
        if done.cancelled():
            return
        if done.exception() is None and done.result():
            self._stored = self._believed = new
        else:  # no room, or somebody accepted another one meanwhile
            self._load()

    def _contradicted(self, note: str, new: Checkpoint, error: Contradicted) -> None:
        """Say it once; keep what comes later as evidence too."""
        kept, at_ms, reason, first = self._believed, self._clock.unix_ms, error.reason, not self._open
        if any(one.note == note for one in self._open):
            return
        log.error(
            "register.regressed", reason=reason, why=str(error), size=new.size, kept_size=kept.checkpoint.size,
            remedy="portineria gateway register",
        )  # fmt: skip
        self._open = [*self._open[: EVIDENCE - 1], Contradiction(0, kept.note, note, reason, at_ms, "open")]
        if first:
            self._spool.record(
                "register.regressed", also=lambda db: register.contradict(db, kept.note, note, reason, at_ms),
                reason=reason, origin=new.origin, size=new.size, root=new.root.hex(),
                kept_size=kept.checkpoint.size, kept_root=kept.checkpoint.root.hex(),
            )  # fmt: skip
        else:
            self._store.submit(lambda db: register.contradict(db, kept.note, note, reason, at_ms))

    # -- accepting ---------------------------------------------------------------------------------------------

    def review(self) -> None:
        """While something is wrong: whether somebody on this machine accepted it."""
        if self._open:
            self._load()

    def _load(self) -> None:
        if not self._loading:
            self._loading = True
            self._store.submit(register.load, reads=True).add_done_callback(self._read)

    def _read(self, done: "asyncio.Future[Memory]") -> None:
        self._loading = False
        if not done.cancelled() and done.exception() is None:
            self._loaded(done.result())

    def _loaded(self, memory: Memory) -> None:
        kept = _Kept(memory.note, read_checkpoint(memory.note)[1]) if memory.note else self._nothing
        self._stored = self._believed = kept
        self._open = memory.open
        if memory.untold:
            self._asked.clear()
            self.ask_again()
            log.warning("register.accepted", size=kept.checkpoint.size)
            self._spool.record(
                "register.accepted", also=register.tell, size=kept.checkpoint.size,
                root=kept.checkpoint.root.hex(), kept_size=read_checkpoint(memory.untold[0].kept)[1].size,
            )  # fmt: skip

    def status(self) -> RegisterStatus:
        reasons = [one.reason for one in self._open]
        return RegisterStatus(self._stored.checkpoint.size, round(self._confirmed_ms), reasons)
