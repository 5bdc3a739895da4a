# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to an export is found and named."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from portineria.ledger.export import CheckpointLine, EventLine, Personal, Proof, write_line
from portineria.ledger.merkle import Tree, leaf_hash
from portineria.ledger.note import COSIGNATURE, cosign, parse_verifier_key, verifier_key
from portineria.ledger.trust import Trust
from portineria.ledger.verification import Verdict, verify
from tests.unit.ledger.register import Register, keys, rewritten, sealed

WITNESS = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32))
WITNESS_KEY = verifier_key("witness.example/one", WITNESS, COSIGNATURE)


def check(lines: list[bytes], **trust: object) -> Verdict:
    return verify(iter(lines), Trust(**{"root_sha256": keys().root_sha256, **trust}))  # type: ignore[arg-type]


def places(register: Register) -> dict[int, int]:
    """Event number -> its place among the lines."""
    events = [place for place, line in enumerate(register.lines) if isinstance(line, EventLine)]
    return dict(enumerate(events, 1))


def test_a_whole_export_fits() -> None:
    verdict = check(sealed(10).export())
    assert verdict.faults == []
    assert (verdict.first, verdict.last, verdict.checkpoints, verdict.withheld) == (1, 10, 3, 0)
    assert verdict.newest == sealed(10).checkpoint()


def test_an_empty_register_fits() -> None:
    assert check(Register().export()).faults == []


def changed(register: Register, seq: int) -> list[bytes]:
    place = places(register)[seq]
    line = register.lines[place]
    assert isinstance(line, EventLine)
    altered = EventLine(line.leaf.replace("per_owner", "per_other"), line.personal)
    return register.export([*register.lines[:place], altered, *register.lines[place + 1 :]])


def removed(register: Register, seq: int) -> list[bytes]:
    place = places(register)[seq]
    return register.export([*register.lines[:place], *register.lines[place + 1 :]])


def doubled(register: Register, seq: int) -> list[bytes]:
    place = places(register)[seq]
    return register.export([*register.lines[: place + 1], register.lines[place], *register.lines[place + 1 :]])


def exchanged(register: Register, seq: int) -> list[bytes]:
    first, second = places(register)[seq], places(register)[seq + 1]
    lines = list(register.lines)
    lines[first], lines[second] = lines[second], lines[first]
    return register.export(lines)


@pytest.mark.parametrize("seq", range(1, 11))
@pytest.mark.parametrize(
    ("act", "names"),
    [
        (changed, lambda seq: {f"event {seq + 1} does not follow", f"{seq} are not those that were signed"}),
        (removed, lambda seq: {f"event {seq} is missing before"}),
        (doubled, lambda seq: {f"event {seq} stands again"}),
    ],
)
def test_each_event_is_watched(act: Callable[..., list[bytes]], names: Callable[[int], set[str]], seq: int) -> None:
    faults = check(act(sealed(10), seq)).faults
    assert any(name in fault for name in names(seq) for fault in faults[:1]), faults


@pytest.mark.parametrize("seq", range(1, 10))
def test_events_in_another_order_are_named(seq: int) -> None:
    faults = check(exchanged(sealed(10), seq)).faults
    assert faults[0] == f"event {seq} is missing before event {seq + 1}"
    assert f"event {seq} stands again, or in another place, after event {seq + 1}" in faults


@pytest.mark.parametrize("kept", range(13))
def test_a_cut_is_noticed_wherever_it_was_made(kept: int) -> None:
    lines = sealed(10).export()
    assert len(lines) == 15
    faults = check(lines[: kept + 1]).faults
    assert any("cut off" in fault for fault in faults), faults


def test_a_tail_taken_away_with_its_checkpoints_is_known_from_elsewhere() -> None:
    """Nothing in such a file is wrong in itself: only who kept a later checkpoint can tell."""
    long, short = sealed(10), sealed(8)
    short.lines = long.lines[: places(long)[8] + 2]
    assert check(short.export()).faults == []
    assert check(short.export(), known=[long.checkpoint()]).faults == [
        "events 9 to 10 are missing: a checkpoint kept elsewhere names them"
    ]


def test_a_chain_computed_anew_does_not_lead_to_what_was_signed() -> None:
    forged = rewritten(sealed(10), 6, "administrator")
    assert check(forged.export()).faults == ["events 5 to 8 are not those that were signed"]


def test_a_chain_signed_anew_with_the_stolen_key_is_known_from_elsewhere() -> None:
    honest, forged = sealed(10), Register()
    for number in range(1, 11):
        forged.event(**({"role": "administrator"} if number == 6 else {}))
    forged.seal()
    assert check(forged.export()).faults == []
    kept = sealed(8).checkpoint()
    assert check(honest.export(), known=[kept]).faults == []
    assert check(forged.export(), known=[kept]).faults == [
        "events up to 8 are not those of the checkpoint that was kept elsewhere"
    ]


def test_another_installations_signature_counts_for_nothing() -> None:
    assert "another root" in check(sealed(3, name="other").export()).faults[0]
    mixed = sealed(3)
    mixed.keys = keys("other")
    assert "another root" in check(mixed.export()).faults[0]
    assert "signed this note" in check(mixed.export(), root_sha256=None).faults[0]


def test_only_a_signer_of_checkpoints_may_sign_them() -> None:
    register = sealed(3)
    register.keys = keys("ticket", "ticket")
    faults = verify(iter(register.export()), Trust()).faults
    assert "may not sign checkpoints" in faults[0]


def test_a_key_known_directly_is_enough_and_is_demanded() -> None:
    register = sealed(3)
    right = verifier_key(register.origin, register.keys.signer)
    assert check(register.export(), root_sha256=None, keys=[right]).faults == []
    wrong = verifier_key(register.origin, WITNESS)
    assert "signed this note" in check(register.export(), root_sha256=None, keys=[wrong]).faults[0]


def test_an_erased_value_leaves_the_register_as_it_was_and_a_changed_one_does_not() -> None:
    register = sealed(4)
    place = places(register)[2]
    line = register.lines[place]
    assert isinstance(line, EventLine)
    register.lines[place] = EventLine(line.leaf)
    verdict = check(register.export())
    assert (verdict.faults, verdict.withheld) == ([], 1)
    register.lines[place] = EventLine(line.leaf, {"name": Personal(bytes(16), "Somebody else")})
    assert check(register.export()).faults == ["event 2: name is not the value that was hashed"]
    register.lines[place] = EventLine(line.leaf, {"email": Personal(bytes(16), "a@example.com")})
    assert check(register.export()).faults == ["event 2: email was put beside what was hashed"]


def test_a_witness_is_heard_and_missed() -> None:
    register = Register()
    register.event()
    text = register.checkpoint().text()
    register.seal(cosign(text, WITNESS_KEY.name, WITNESS, 1_800_000_000))
    register.event()
    register.seal()
    verdict = check(register.export(), witnesses=[parse_verifier_key(str(WITNESS_KEY))])
    assert (verdict.faults, verdict.seen[WITNESS_KEY.name].size) == ([], 1)
    other = verifier_key("witness.example/two", WITNESS, COSIGNATURE)
    assert check(register.export(), witnesses=[other]).faults == ["witness.example/two has witnessed nothing of this"]


def test_a_part_of_a_register_verifies_by_the_edge_it_begins_at() -> None:
    register = sealed(10)
    before = sealed(6)
    rest = register.lines[places(register)[7] :]
    part = {"before": 6, "peaks": before.frontier.peaks, "prev": before.prev}
    verdict = check(register.export(rest, **part))
    assert (verdict.faults, verdict.first, verdict.last) == ([], 7, 10)
    wrong = {**part, "peaks": [bytes(32)] * len(before.frontier.peaks)}
    assert check(register.export(rest, **wrong)).faults == ["events 7 to 8 are not those that were signed"]
    assert check(register.export(rest, **{**part, "peaks": []})).faults[0].startswith("line 1")


def proof_of(register: Register, seq: int) -> Proof:
    events = [line for line in register.lines if isinstance(line, EventLine)]
    hashes = [leaf_hash(line.leaf.encode()) for line in events]
    tree = Tree(len(hashes), lambda level, first, count: hashes[first : first + count] if not level else [])
    newest = next(line for line in reversed(register.lines) if isinstance(line, CheckpointLine))
    return Proof(register.header(), events[seq - 1], seq - 1, tree.inclusion(seq - 1), newest)


@pytest.mark.parametrize("seq", [1, 7, 10])
def test_one_event_is_proven_by_itself(seq: int) -> None:
    register = sealed(10)
    proof = proof_of(register, seq)
    verdict = check([write_line(proof)])
    assert (verdict.faults, verdict.first, verdict.last) == ([], seq, seq)
    other = proof_of(register, seq % 10 + 1)
    for broken in (
        msgspec.structs.replace(proof, index=proof.index + 1),
        msgspec.structs.replace(proof, event=other.event),
        msgspec.structs.replace(proof, path=proof.path[1:]),
        msgspec.structs.replace(proof, checkpoint=CheckpointLine(proof.checkpoint.note.replace("10\n", "11\n"))),
        msgspec.structs.replace(proof, event=EventLine(proof.event.leaf, {"name": Personal(bytes(16), "Else")})),
    ):
        assert check([write_line(broken)]).faults, broken


def test_a_proof_under_another_history_than_the_kept_one_is_refused() -> None:
    forged = rewritten(sealed(10), 3, "administrator")
    forged.seal()
    proof = proof_of(forged, 3)
    assert check([write_line(proof)]).faults == []
    assert check([write_line(proof)], known=[sealed(10).checkpoint()]).faults


@given(st.integers(1, 14), st.integers(0, 900), st.integers(1, 255))
def test_no_byte_behind_the_header_can_be_changed_unnoticed(line: int, place: int, by: int) -> None:
    lines = sealed(10).export()
    data = bytearray(lines[line])
    data[place % (len(data) - 1)] ^= by
    same = msgspec.json.decode(lines[line])
    lines[line] = bytes(data)
    assert check(lines).faults or msgspec.json.decode(lines[line]) == same


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_garbage_is_refused_in_words(lines: list[bytes]) -> None:
    assert check(lines).faults
    assert check([sealed(1).export()[0], *lines]).faults


def test_what_comes_after_the_end_and_a_second_beginning_are_refused() -> None:
    lines = sealed(2).export()
    assert check([*lines, lines[1]]).faults == ["line 6, after event 2: it goes on after its end"]
    assert "begins a second time" in check([lines[0], *lines]).faults[0]
