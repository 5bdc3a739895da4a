# SPDX-License-Identifier: Apache-2.0
"""Checking an evidence bundle without the server that made it. Every fault is named with the member it concerns.

Four nets: the manifest has the hash of each member and is signed by the register's key; each event has its path to a
signed checkpoint; what a gateway reported is there as the gateway signed it, and its hash in the event; recordings
and the order are those whose hashes the register has.
"""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from portineria.core.errors import ProtocolError
from portineria.ledger import evidence as e
from portineria.ledger.bundle import BundleVerdict, check_members, check_register, check_signature, member
from portineria.ledger.evidence_archive import Members, unpack
from portineria.ledger.export import LeafContent
from portineria.ledger.trust import Trust
from portineria.wire import report
from portineria.wire.envelope import read_signed, verify

# What the summary counts, by the code of the events that it stands behind.
_COUNTED = {"functions": "work.done", "changes": "work.changed", "blocks": "work.transferred"}
_BEGUN, _SUMMARY = "remote_sessions.session.requested", "session.worked"
# The receipt; a gateway that refused the order had nothing open; or nobody knows, and the register says that.
_ENDS = ("session.ended", "order.refused", "remote_sessions.session.unproven")


@dataclass(slots=True)
class Verdict(BundleVerdict):
    session: str = ""
    left_out: int = 0
    reports: int = 0
    recordings: int = 0


def verify_bundle(data: bytes, trust: Trust) -> Verdict:
    verdict = Verdict()
    members, faults = unpack(data)
    for fault in faults:
        verdict.fault(fault)
    try:
        manifest = e.read_manifest(member(members, e.MANIFEST))
        verdict.session, verdict.made_at, verdict.members = manifest.session, manifest.made_at, len(manifest.members)
        check_members(members, manifest.members, verdict)
        _Checking(members, manifest, trust, verdict).run()
    except ProtocolError as error:
        verdict.fault(str(error))
    return verdict


class _Checking:
    def __init__(self, members: Members, manifest: e.Manifest, trust: Trust, verdict: Verdict) -> None:
        self._members, self._manifest, self._trust, self._verdict = members, manifest, trust, verdict
        self._leaves: dict[int, LeafContent] = {}

    def run(self) -> None:
        """Raise ProtocolError for what cannot be checked any further."""
        signers, self._leaves = check_register(self._members, self._manifest.organisation, self._trust, self._verdict)
        check_signature(
            self._members, e.statement(self._manifest.session, self._members[e.MANIFEST]), signers, self._verdict
        )
        for seq, content in self._leaves.items():
            if content.fields.get("session", self._manifest.session) != self._manifest.session:
                self._verdict.fault(f"{e.REGISTER}, event {seq}: it is of another session")
        facts = e.read_facts(member(self._members, e.FACTS))
        self._verdict.left_out = facts.left_out
        if facts.session != self._manifest.session:
            self._verdict.fault(f"{e.FACTS} is of {facts.session}")
        self._said(facts)
        self._order()
        self._recordings(facts)
        self._whole()

    def _said(self, facts: e.Facts) -> None:
        """What the gateway reported, as it signed it."""
        said = e.read_said(member(self._members, e.GATEWAY))
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
