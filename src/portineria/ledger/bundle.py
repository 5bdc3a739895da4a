# SPDX-License-Identifier: Apache-2.0
"""What every file has that leaves with proofs: members with a signed list of them, events with their paths."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from portineria.core.errors import ProtocolError
from portineria.ledger import evidence as e
from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.evidence_archive import Members
from portineria.ledger.export import CheckpointLine, Header, LeafContent, read_leaf
from portineria.ledger.merkle import check_inclusion, leaf_hash
from portineria.ledger.note import parse_note
from portineria.ledger.trust import Signers, Trust, check_checkpoint, signers_of
from portineria.ledger.verification import Seen, personal_fault, seen_by

FAULTS = 100  # named at most; whoever alters more is found all the same


@dataclass(slots=True)
class BundleVerdict:
    origin: str = ""
    root_sha256: bytes = b""
    made_at: str = ""
    members: int = 0
    events: int = 0
    withheld: int = 0
    seen: dict[str, Seen] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self.faults

    def fault(self, what: str) -> None:
        if len(self.faults) < FAULTS:
            self.faults.append(what)


def member(members: Members, name: str) -> bytes:
    """Raise BadEvidence."""
    if name not in members:
        raise e.BadEvidence(f"{name} is missing")
    return members[name]


def check_members(members: Members, manifest: Sequence[e.Member], verdict: BundleVerdict) -> None:
    """They are those of the manifest, byte for byte, in its order."""
    listed = {member.name: member for member in manifest}
    for name, member in listed.items():
        content = members.get(name)
        if content is None:
            verdict.fault(f"{name} is missing")
        elif len(content) != member.size or sha256(content).digest() != member.sha256:
            verdict.fault(f"{name} was changed")
    for name in members:
        if name not in listed and name not in (e.MANIFEST, e.NOTE):
            verdict.fault(f"{name} was put in: the manifest does not know it")
    if verdict.fits and list(members) != [e.MANIFEST, e.NOTE, *listed]:
        verdict.fault("its members stand in another order than they were packed in")


def check_signature(members: Members, statement: str, signers: Signers, verdict: BundleVerdict) -> None:
    try:
        note = parse_note(member(members, e.NOTE).decode("utf-8", "replace"))
        if note.text != statement:
            raise e.BadEvidence(f"it is of another {e.MANIFEST}: one of the two was changed")
        signers.check(note)
    except ProtocolError as error:
        verdict.fault(f"{e.NOTE}: {error}")


def check_register(
    members: Members, organisation: str, trust: Trust, verdict: BundleVerdict
) -> tuple[Signers, dict[int, LeafContent]]:
    """Who may sign, and the events that are proven by their number. Raise ProtocolError for what cannot be checked."""
    header, line, entries = e.read_register(member(members, e.REGISTER))
    signers = signers_of(header, trust)
    verdict.origin, verdict.root_sha256 = header.origin, signers.root_sha256
    checkpoint = _checkpoint(header, line, signers, trust, verdict)
    if header.organisation != organisation:
        verdict.fault(f"{e.REGISTER} is of {header.organisation}")
    leaves: dict[int, LeafContent] = {}
    for entry in entries:
        try:
            content = _entry(entry, checkpoint, header.organisation)
            if content is None:
                verdict.withheld += 1
                continue
            if content.seq in leaves:
                raise e.BadEvidence("it is there twice")
            leaves[content.seq] = content
            verdict.events += 1
        except ProtocolError as error:
            verdict.fault(f"{e.REGISTER}, event {entry.index + 1}: {error}")
    return signers, leaves


def _checkpoint(
    header: Header, line: CheckpointLine, signers: Signers, trust: Trust, verdict: BundleVerdict
) -> Checkpoint:
    note, checkpoint = check_checkpoint(line.note, header.origin, signers)
    verdict.seen = seen_by(trust.witnesses, note, checkpoint)
    for witness in trust.witnesses:
        if witness.name not in verdict.seen:
            verdict.fault(f"{e.REGISTER}: {witness.name} has witnessed nothing of this")
    for known in trust.known:
        if known.origin != header.origin or (known.size == checkpoint.size and known.root != checkpoint.root):
            verdict.fault(f"{e.REGISTER}: its checkpoint is not the one that was kept elsewhere")
    return checkpoint


def _entry(entry: e.Entry, checkpoint: Checkpoint, organisation: str) -> LeafContent | None:
    """None where only its hash is there. Raise ProtocolError."""
    if entry.event is None:
        check_inclusion(entry.leaf_sha256 or b"", entry.index, checkpoint.size, entry.path, checkpoint.root)
        return None
    data = entry.event.leaf.encode()
    check_inclusion(leaf_hash(data), entry.index, checkpoint.size, entry.path, checkpoint.root)
    content = read_leaf(data)
    if content.seq != entry.index + 1 or content.organisation != organisation:
        raise e.BadEvidence(f"it is event {content.seq} of {content.organisation}")
    if fault := personal_fault(entry.event, content):
        raise e.BadEvidence(fault)
    return content
