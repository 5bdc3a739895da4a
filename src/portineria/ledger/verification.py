# SPDX-License-Identifier: Apache-2.0
"""Checking an export without the server that wrote it. Every fault is named with the first event that it concerns.

Three nets: each event carries the hash of the one before, so a changed one is named exactly; the checkpoints' roots
bind all of them to a signature; cosigned or kept checkpoints bind the signer as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from portineria.core.errors import ProtocolError
from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.export import (
    VERSION,
    BadExport,
    CheckpointLine,
    EndLine,
    EventLine,
    Header,
    LeafContent,
    Proof,
    read_leaf,
    read_line,
)
from portineria.ledger.leaf import personal_hash
from portineria.ledger.merkle import BadProof, Frontier, check_inclusion, leaf_hash
from portineria.ledger.note import Note, VerifierKey
from portineria.ledger.trust import Signers, Trust, check_checkpoint, signers_of

FAULTS = 100  # named at most; whoever alters more is found all the same


@dataclass(frozen=True, slots=True)
class Seen:
    """How much a witness saw of a register, and when (Unix seconds)."""

    size: int
    at: int


@dataclass(slots=True)
class Verdict:
    origin: str = ""
    organisation: str = ""
    first: int = 1
    last: int = 0
    checkpoints: int = 0
    root_sha256: bytes = b""
    newest: Checkpoint | None = None
    stamps: list[tuple[str, bytes]] = field(default_factory=list)  # (text of the checkpoint, time stamp), unchecked
    withheld: int = 0  # values that are secret or were erased
    seen: dict[str, Seen] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)  # what no witness, or not every one, has seen yet
    faults: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self.faults


def verify(lines: Iterable[bytes], trust: Trust) -> Verdict:
    """Read an export, or the proof of one event, to its end."""
    checking: _Checking | None = None
    for number, data in enumerate(lines, 1):
        try:
            line = read_line(data)
            if checking is None:
                if isinstance(line, Proof):
                    return _verify_proof(line, trust)
                if not isinstance(line, Header) or line.version != VERSION:
                    raise BadExport(f"it does not begin as an export of version {VERSION}")
                checking = _Checking(line, trust)
            else:
                checking.take(line)
        except ProtocolError as error:
            if checking is None:
                return Verdict(faults=[f"line {number}: {error}"])
            checking.fault(f"line {number}, after event {checking.frontier.size}: {error}")
    if checking is None:
        return Verdict(faults=["the file is empty"])
    return checking.finish()


class _Checking:
    def __init__(self, header: Header, trust: Trust) -> None:
        """Raise BadExport, BadCertificate, BadProof."""
        self.signers: Signers = signers_of(header, trust)
        self.frontier = Frontier(header.before, header.peaks)
        self._prev: bytes | None = header.prev  # None behind a gap
        self._trust = trust
        self._known = {checkpoint.size: checkpoint for checkpoint in trust.known}
        self._signed = header.before  # events up to here are under a checkpoint
        self._whole = True  # until an event is missing or changed: from then on roots say nothing new
        self._ended = False
        self.verdict = Verdict(
            header.origin, header.organisation, header.before + 1, header.before, root_sha256=self.signers.root_sha256
        )
        for checkpoint in trust.known:
            if checkpoint.origin != header.origin:
                self.fault(f"a checkpoint that was to be found here is of {checkpoint.origin}")
        self._compare_known()

    def fault(self, what: str) -> None:
        if len(self.verdict.faults) < FAULTS:
            self.verdict.faults.append(what)
        elif len(self.verdict.faults) == FAULTS:
            self.verdict.faults.append("and more")

    def take(self, line: Header | EventLine | CheckpointLine | EndLine | Proof) -> None:
        if self._ended:
            raise BadExport("it goes on after its end")
        if isinstance(line, EventLine):
            self._event(line)
        elif isinstance(line, CheckpointLine):
            self._checkpoint(line)
        elif isinstance(line, EndLine):
            self._end(line)
        else:
            raise BadExport("it begins a second time")

    def _tree_fault(self, what: str) -> None:
        self._whole = False
        self.fault(what)

    # -- events --------------------------------------------------------------------------------------------------

    def _event(self, line: EventLine) -> None:
        data, expected = line.leaf.encode(), self.frontier.size + 1
        digest = leaf_hash(data)
        try:
            content = read_leaf(data)
        except BadExport as error:
            self._tree_fault(f"event {expected}: {error}")
            self._append(digest)
            return
        if content.seq < expected:
            self._tree_fault(f"event {content.seq} stands again, or in another place, after event {expected - 1}")
            return
        if content.seq > expected:
            self._skip(content.seq - 1, f"event {content.seq}")
        elif self._prev is not None and content.prev != self._prev.hex():
            self._tree_fault(f"event {content.seq} does not follow the one before: one of the two was changed")
        self._append(digest)
        if fault := self._content_fault(line, content):
            self.fault(f"event {content.seq}: {fault}")

    def _skip(self, last: int, where: str) -> None:
        """Go on behind event ``last``; from here on only the size of the tree counts."""
        first = self.frontier.size + 1
        self._tree_fault(f"{_events(first, last)} missing before {where}")
        self.frontier = Frontier(last, [bytes(32)] * last.bit_count())
        self._prev = None

    def _append(self, digest: bytes) -> None:
        self.frontier.append(digest)
        self._prev = digest
        self.verdict.last = self.frontier.size
        self._compare_known()

    def _content_fault(self, line: EventLine, content: LeafContent) -> str:
        if content.organisation != self.verdict.organisation:
            return f"it is of {content.organisation}"
        if fault := personal_fault(line, content):
            return fault
        self.verdict.withheld += len(content.hashed) - len(line.personal)
        return ""

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def _checkpoint(self, line: CheckpointLine) -> None:
        note, checkpoint = check_checkpoint(line.note, self.verdict.origin, self.signers)
        if checkpoint.size > self.frontier.size:
            self._skip(checkpoint.size, f"the checkpoint of {checkpoint.size} events")
        size = self.frontier.size
        if checkpoint.size < size:
            self.fault(f"a checkpoint of {checkpoint.size} events stands after event {size}")
            return
        if self._whole and checkpoint.root != self.frontier.root():
            # Each event follows the one before: the chain itself was computed anew.
            self._tree_fault(f"events {self._signed + 1} to {size} are not those that were signed")
        self._signed = size
        self.verdict.checkpoints += 1
        self.verdict.newest = checkpoint
        self.verdict.stamps += [(note.text, stamp) for stamp in line.stamps]
        self.verdict.seen |= seen_by(self._trust.witnesses, note, checkpoint)

    def _compare_known(self) -> None:
        checkpoint = self._known.pop(self.frontier.size, None)
        if checkpoint is not None and self._whole and checkpoint.root != self.frontier.root():
            self._tree_fault(f"events up to {checkpoint.size} are not those of the checkpoint that was kept elsewhere")

    # -- the end -------------------------------------------------------------------------------------------------

    def _end(self, line: EndLine) -> None:
        self._ended = True
        if line.size > self.frontier.size:
            self._skip(line.size, "the end")
        elif line.size < self.frontier.size:
            self.fault(f"its end says {line.size} events, and there are {self.frontier.size}")

    def finish(self) -> Verdict:
        verdict, size = self.verdict, self.frontier.size
        if not self._ended:
            self.fault(f"it was cut off after event {size}")
        if self._signed < size:
            self.fault(f"events {self._signed + 1} to {size} are under no checkpoint")
        for checkpoint in self._known.values():
            if checkpoint.size > size:
                self.fault(f"{_events(size + 1, checkpoint.size)} missing: a checkpoint kept elsewhere names them")
        judge_witnesses(self._trust, verdict)
        return verdict


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"


def _verify_proof(proof: Proof, trust: Trust) -> Verdict:
    header = proof.header
    verdict = Verdict(header.origin, header.organisation, proof.index + 1, proof.index + 1, checkpoints=1)
    data = proof.event.leaf.encode()
    try:
        signers = signers_of(header, trust)
        verdict.root_sha256 = signers.root_sha256
        content = read_leaf(data)
        note, checkpoint = check_checkpoint(proof.checkpoint.note, header.origin, signers)
        if content.seq != proof.index + 1 or content.organisation != header.organisation:
            raise BadProof(f"it proves another event than number {content.seq} of {content.organisation}")
        check_inclusion(leaf_hash(data), proof.index, checkpoint.size, proof.path, checkpoint.root)
        verdict.seen = seen_by(trust.witnesses, note, checkpoint)
    except ProtocolError as error:
        verdict.faults.append(str(error))
        return verdict
    verdict.newest, verdict.stamps = checkpoint, [(note.text, stamp) for stamp in proof.checkpoint.stamps]
    verdict.withheld = len(content.hashed) - len(proof.event.personal)
    if fault := personal_fault(proof.event, content):
        verdict.faults.append(f"event {content.seq}: {fault}")
    for known in trust.known:
        if known.origin != header.origin or (known.size == checkpoint.size and known.root != checkpoint.root):
            verdict.faults.append(f"its checkpoint is not the one of {known.size} events that was kept elsewhere")
    judge_witnesses(trust, verdict)
    return verdict


def personal_fault(line: EventLine, content: LeafContent) -> str:
    """Empty when every value that is given is the one that was hashed."""
    for name, personal in line.personal.items():
        if name not in content.hashed:
            return f"{name} was put beside what was hashed"
        if personal_hash(personal.salt, personal.value).hex() != content.hashed[name]:
            return f"{name} is not the value that was hashed"
    return ""


def seen_by(witnesses: Iterable[VerifierKey], note: Note, checkpoint: Checkpoint) -> dict[str, Seen]:
    times = {witness.name: witness.seen_at(note) for witness in witnesses}
    return {name: Seen(checkpoint.size, at) for name, at in times.items() if at is not None}


def judge_witnesses(trust: Trust, verdict: Verdict) -> None:
    """Somebody who saw nothing is a fault; who is behind is only told, unless that was demanded otherwise."""
    late = []
    for witness in trust.witnesses:
        seen = verdict.seen.get(witness.name)
        if seen is None:
            verdict.faults.append(f"{witness.name} has witnessed nothing of this")
        elif seen.size < verdict.last:
            late.append(f"{_events(seen.size + 1, verdict.last)} not witnessed by {witness.name} yet")
    (verdict.faults if trust.all_witnessed else verdict.late).extend(late)
