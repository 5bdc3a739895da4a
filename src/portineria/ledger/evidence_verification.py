# SPDX-License-Identifier: Apache-2.0
"""Checking an evidence bundle without the server that made it. Every fault is named with the member it concerns.

Four nets: the manifest has the hash of each member and is signed by the register's key; each event has its path to a
signed checkpoint; what a gateway reported is there as the gateway signed it, and its hash in the event; recordings
and the order are those whose hashes the register has.
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from portineria.core.errors import ProtocolError
from portineria.ledger import evidence as e
from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.evidence_archive import Members, unpack
from portineria.ledger.export import CheckpointLine, Header, LeafContent, read_leaf
from portineria.ledger.merkle import check_inclusion, leaf_hash
from portineria.ledger.note import parse_note
from portineria.ledger.trust import Signers, Trust, check_checkpoint, signers_of
from portineria.ledger.verification import Seen, personal_fault, seen_by
from portineria.wire import report
from portineria.wire.envelope import read_signed, verify

FAULTS = 100
# What the summary counts, by the code of the events that it stands behind.
_COUNTED = {"functions": "work.done", "changes": "work.changed", "blocks": "work.transferred"}
_BEGUN, _SUMMARY = "remote_sessions.session.requested", "session.worked"
# The receipt; a gateway that refused the order had nothing open; or nobody knows, and the register says that.
_ENDS = ("session.ended", "order.refused", "remote_sessions.session.unproven")


@dataclass(slots=True)
class Verdict:
    session: str = ""
    origin: str = ""
    root_sha256: bytes = b""
    made_at: str = ""
    members: int = 0
    events: int = 0
    withheld: int = 0
    left_out: int = 0
    reports: int = 0
    recordings: int = 0
    seen: dict[str, Seen] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self.faults

    def fault(self, what: str) -> None:
        if len(self.faults) < FAULTS:
            self.faults.append(what)


def verify_bundle(data: bytes, trust: Trust) -> Verdict:
    verdict = Verdict()
    members, faults = unpack(data)
    for fault in faults:
        verdict.fault(fault)
    try:
        manifest = e.read_manifest(_of(members, e.MANIFEST))
        verdict.session, verdict.made_at, verdict.members = manifest.session, manifest.made_at, len(manifest.members)
        _compare(members, manifest, verdict)
        _Checking(members, manifest, trust, verdict).run()
    except ProtocolError as error:
        verdict.fault(str(error))
    return verdict


def _of(members: Members, name: str) -> bytes:
    if name not in members:
        raise e.BadEvidence(f"{name} is missing")
    return members[name]


def _compare(members: Members, manifest: e.Manifest, verdict: Verdict) -> None:
    listed = {member.name: member for member in manifest.members}
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


class _Checking:
    def __init__(self, members: Members, manifest: e.Manifest, trust: Trust, verdict: Verdict) -> None:
        self._members, self._manifest, self._trust, self._verdict = members, manifest, trust, verdict
        self._leaves: dict[int, LeafContent] = {}

    def run(self) -> None:
        """Raise ProtocolError for what cannot be checked any further."""
        header, line, entries = e.read_register(_of(self._members, e.REGISTER))
        signers = signers_of(header, self._trust)
        self._verdict.origin, self._verdict.root_sha256 = header.origin, signers.root_sha256
        self._signature(signers)
        self._register(header, line, entries, signers)
        facts = e.read_facts(_of(self._members, e.FACTS))
        self._verdict.left_out = facts.left_out
        if facts.session != self._manifest.session:
            self._verdict.fault(f"{e.FACTS} is of {facts.session}")
        self._said(facts)
        self._order()
        self._recordings(facts)
        self._whole()

    def _signature(self, signers: Signers) -> None:
        try:
            note = parse_note(_of(self._members, e.NOTE).decode("utf-8", "replace"))
            if note.text != e.statement(self._manifest.session, self._members[e.MANIFEST]):
                raise e.BadEvidence(f"it is of another {e.MANIFEST}: one of the two was changed")
            signers.check(note)
        except ProtocolError as error:
            self._verdict.fault(f"{e.NOTE}: {error}")

    def _register(self, header: Header, line: CheckpointLine, entries: list[e.Entry], signers: Signers) -> None:
        note, checkpoint = check_checkpoint(line.note, header.origin, signers)
        self._verdict.seen = seen_by(self._trust.witnesses, note, checkpoint)
        for witness in self._trust.witnesses:
            if witness.name not in self._verdict.seen:
                self._verdict.fault(f"{e.REGISTER}: {witness.name} has witnessed nothing of this")
        if header.organisation != self._manifest.organisation:
            self._verdict.fault(f"{e.REGISTER} is of {header.organisation}")
        for known in self._trust.known:
            if known.origin != header.origin or (known.size == checkpoint.size and known.root != checkpoint.root):
                self._verdict.fault(f"{e.REGISTER}: its checkpoint is not the one that was kept elsewhere")
        for entry in entries:
            try:
                self._entry(entry, checkpoint, header.organisation)
            except ProtocolError as error:
                self._verdict.fault(f"{e.REGISTER}, event {entry.index + 1}: {error}")

    def _entry(self, entry: e.Entry, checkpoint: Checkpoint, organisation: str) -> None:
        if entry.event is None:
            check_inclusion(entry.leaf_sha256 or b"", entry.index, checkpoint.size, entry.path, checkpoint.root)
            self._verdict.withheld += 1
            return
        data = entry.event.leaf.encode()
        check_inclusion(leaf_hash(data), entry.index, checkpoint.size, entry.path, checkpoint.root)
        content = read_leaf(data)
        if content.seq != entry.index + 1 or content.organisation != organisation:
            raise e.BadEvidence(f"it is event {content.seq} of {content.organisation}")
        if fault := personal_fault(entry.event, content):
            raise e.BadEvidence(fault)
        if content.seq in self._leaves:
            raise e.BadEvidence("it is there twice")
        if content.fields.get("session", self._manifest.session) != self._manifest.session:
            raise e.BadEvidence("it is of another session")
        self._leaves[content.seq] = content
        self._verdict.events += 1

    def _said(self, facts: e.Facts) -> None:
        """What the gateway reported, as it signed it."""
        said = e.read_said(_of(self._members, e.GATEWAY))
        key = Ed25519PublicKey.from_public_bytes(facts.gateway_key)
        for seq, content in self._leaves.items():
            if "report_sha256" not in content.fields:
                continue
            signed = said.pop(seq, None)
            if signed is None or sha256(signed).hexdigest() != content.fields["report_sha256"]:
                self._verdict.fault(f"{e.GATEWAY}: what the gateway signed for event {seq} is missing or another")
                continue
            try:
                verify(read_signed(signed), key, kind="portineria.report", version=report.VERSION)
                self._verdict.reports += 1
            except ProtocolError as error:
                self._verdict.fault(f"{e.GATEWAY}, event {seq}: {error}")
        for seq in said:
            self._verdict.fault(f"{e.GATEWAY}: it has something for event {seq}, which is not here")

    def _order(self) -> None:
        if e.ORDER in self._members:
            digest = sha256(read_signed(self._members[e.ORDER]).statement).hexdigest()
            if digest not in {content.fields.get("order_sha256") for content in self._leaves.values()}:
                self._verdict.fault(f"{e.ORDER}: the register has no order with this hash")

    def _recordings(self, facts: e.Facts) -> None:
        heads = {(each.fields.get("recording"), each.fields.get("head")) for each in self._leaves.values()}
        for recording in facts.recordings:
            if (recording.recording, recording.head.hex()) in heads:
                self._verdict.recordings += 1
            else:
                self._verdict.fault(f"{e.FACTS}: the register does not have the head of {recording.recording}")

    def _whole(self) -> None:
        """Beginning and end are there, and as many lines of what was done as the gateway's summary says."""
        codes = Counter(content.code for content in self._leaves.values())
        if not codes[_BEGUN]:
            self._verdict.fault(f"{e.REGISTER}: {_BEGUN} is missing")
        if not any(codes[code] for code in _ENDS):
            self._verdict.fault(f"{e.REGISTER}: the end is missing")
        summaries = [content for content in self._leaves.values() if content.code == _SUMMARY]
        for name, code in _COUNTED.items():
            numbers = [content.fields.get(name) for content in summaries]
            told = sum(number for number in numbers if isinstance(number, int))
            if summaries and told != codes[code] and not self._verdict.left_out:
                self._verdict.fault(f"{e.REGISTER}: {codes[code]} events {code}, the gateway's summary says {told}")
