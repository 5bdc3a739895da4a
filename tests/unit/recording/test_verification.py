# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a recording is found: every changed byte, cut and swap, without any key of a recipient."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from portineria.core.errors import ProtocolError
from portineria.recording.chunk import BadIdentity, BadRecipient, NotForUs, open_chunk, parse_identities, read_chunk
from portineria.recording.content import CutOut
from portineria.recording.entry import Entry, head_of, key_of, sign_entry
from portineria.recording.kept import Cut
from portineria.recording.seal import About
from portineria.recording.verification import Verifier, verify
from tests.unit.recording.recorded import ABOUT, AUDITOR, FIRST, KEY, OWNER, SECOND, Recording, conversation, deep


def test_a_whole_recording_proves_start_end_and_counts() -> None:
    made = conversation()
    for verdict in (verify(made.chunks, key=key_of(KEY)), deep(made.chunks)):
        assert verdict.faults == []
        assert verdict.complete
        assert verdict.last is not None
        assert (verdict.chunks, verdict.last.end, verdict.head) == (4, "session.ended", made.sealer.head)
        assert (verdict.streams[FIRST].to_device, verdict.streams[FIRST].from_device) == (36, 39)
        assert {name: count.over for name, count in verdict.streams.items()} == {FIRST: "finished", SECOND: "cut"}
    assert deep(made.chunks).opened == 4


def test_every_changed_byte_is_found_and_its_chunk_named() -> None:
    chunks = conversation().chunks[:2]
    for number, data in enumerate(chunks, 1):
        for place in range(len(data)):
            changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            with pytest.raises(ProtocolError):
                read_chunk(changed)
        given_ = [*chunks[: number - 1], changed, *chunks[number:]]
        assert any(fault.startswith(f"chunk {number}: ") for fault in verify(given_).faults)


def test_the_newest_chunk_cut_at_any_place_leaves_the_rest() -> None:
    chunks = conversation().chunks
    for place in range(len(chunks[2])):
        with pytest.raises(ProtocolError):
            read_chunk(chunks[2][:place])
    for place in (0, 1, len(chunks[2]) // 2, len(chunks[2]) - 1):
        verdict = deep([*chunks[:2], chunks[2][:place]])
        assert [fault[:8] for fault in verdict.faults] == ["chunk 3:"]
        assert verdict.last is not None
        assert (verdict.last.number, verdict.opened) == (2, 2)


def test_every_chunk_left_out_doubled_or_moved_is_found() -> None:
    chunks = conversation().chunks
    for first in range(4):
        assert not verify([*chunks[:first], *chunks[first + 1 :]]).fits
        assert not verify([*chunks[: first + 1], *chunks[first:]]).fits
        for second in range(first):
            swapped = list(chunks)
            swapped[first], swapped[second] = chunks[second], chunks[first]
            assert not verify(swapped).fits


def test_a_recording_without_its_end_says_so() -> None:
    made = conversation()
    assert verify(made.chunks[:3]).faults == ["no end: everything behind chunk 3 is missing, or it still runs"]
    assert verify([]).faults == ["there is no chunk"]


def test_a_chunk_of_another_recording_session_or_key_is_found() -> None:
    made = conversation()
    for other in (
        conversation(about=msgspec_replace(ABOUT, recording="rec_bbbbbbbbbbbbbbbb")),
        conversation(about=msgspec_replace(ABOUT, session="ses_bbbbbbbbbbbbbbbb")),
        conversation(key=Ed25519PrivateKey.generate()),
    ):
        assert not verify([*made.chunks[:2], *other.chunks[2:]]).fits
        assert verify(other.chunks).fits
    forged = conversation(key=Ed25519PrivateKey.generate())
    assert verify(forged.chunks, key=key_of(KEY)).faults == ["chunk 1: signed by another key than the gateway's"]


def msgspec_replace(about: About, **changes: str) -> About:
    values = {name: getattr(about, name) for name in ("recording", "session", "organisation", "gateway", "boot")}
    return About(**{**values, **changes})


def test_a_recording_written_anew_with_the_gateways_own_key_has_not_the_head_that_the_register_has() -> None:
    made, anew = conversation(), conversation()
    for chunks, known in ((made.chunks, True), (anew.chunks, False)):
        verifier = Verifier()
        for data in chunks:
            verifier.take(data)
        assert verifier.finish().fits
        assert (made.sealer.head in verifier.heads) is known


def test_a_chunk_of_another_version_of_the_same_recording_is_found() -> None:
    """Signed by the same key, with the same number and counts: only what it names as the one before differs."""
    made, anew = conversation(), conversation()
    for place in range(1, 4):
        mixed = [*made.chunks[:place], anew.chunks[place], *made.chunks[place + 1 :]]
        assert f"chunk {place + 1}: does not follow the one before" in verify(mixed).faults


CLAIMS = {
    "packets": lambda entry: msgspec.structs.replace(entry, packets=entry.packets + 1),
    "operations": lambda entry: msgspec.structs.replace(entry, operations=entry.operations - 1),
    "bytes": lambda entry: msgspec.structs.replace(
        entry,
        streams=[msgspec.structs.replace(entry.streams[0], to_device=entry.streams[0].to_device + 1)],
        totals=(entry.totals[0] + 1, *entry.totals[1:]),
    ),
    "size": lambda entry: msgspec.structs.replace(entry, plain_bytes=entry.plain_bytes - 1),
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_an_identity_shows_what_a_lying_gateway_signed(claim) -> None:
    made = Recording()
    made.open()
    made.say(FIRST, 0, b"request", function="read")
    sealed = made.sealer.seal(made.take(), made.tick(), made.recipients)
    signed = sign_entry(claim(sealed.entry), KEY)
    chunk = read_chunk(b"PRTREC1\n" + len(signed).to_bytes(4, "big") + signed + read_chunk(sealed.data).cipher)
    assert chunk.head == head_of(signed)
    data = b"PRTREC1\n" + len(signed).to_bytes(4, "big") + signed + chunk.cipher
    ending = "no end: everything behind chunk 1 is missing, or it still runs"
    assert verify([data]).faults == [ending]
    assert len(deep([data]).faults) == 2


def test_totals_that_are_not_the_sum_are_found_without_an_identity() -> None:
    made = Recording()
    made.open()
    made.say(FIRST, 0, b"request")
    sealed = made.sealer.seal(made.take(), made.tick(), made.recipients)
    entry: Entry = msgspec.structs.replace(sealed.entry, totals=(8, 0, 0))
    signed = sign_entry(entry, KEY)
    cipher = read_chunk(sealed.data).cipher
    assert "sum up" in verify([b"PRTREC1\n" + len(signed).to_bytes(4, "big") + signed + cipher]).faults[0]


def test_each_recipient_opens_it_and_nobody_else() -> None:
    both = [str(OWNER.to_public()), str(AUDITOR.to_public())]
    made = conversation(recipients=both)
    assert deep(made.chunks, OWNER).complete
    assert deep(made.chunks, AUDITOR).complete
    with pytest.raises(NotForUs):
        deep(conversation().chunks, AUDITOR)


def test_words_that_are_no_age_keys_are_refused() -> None:
    for text in ("", "# only a comment", "age1nonsense"):
        with pytest.raises(BadIdentity):
            parse_identities(text)
    assert len(parse_identities(f"# mine\n{OWNER}\n\n{AUDITOR}\n")) == 2
    with pytest.raises(BadRecipient):
        conversation(recipients=["age1nonsense"])


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 1200))
def test_no_bytes_make_a_reader_stumble(noise: bytes, place: int) -> None:
    data = conversation_once()
    for given_ in (noise, b"PRTREC1\n" + noise, data[:place] + noise + data[place + len(noise) :]):
        try:
            chunk = read_chunk(given_)
        except ProtocolError:
            continue
        open_chunk(chunk, [OWNER])


_MADE: list[bytes] = []


def conversation_once() -> bytes:
    if not _MADE:
        _MADE.extend(conversation().chunks)
    return _MADE[1]


def cut_out(kept: bytes, size: int = 4) -> Recording:
    made = Recording()
    made.open()
    made.say(FIRST, 0, b"USER ann\r\n")
    made.capture.cut(FIRST, 0, (Cut(5, size, "ftp.password"),), made.tick())
    made.say(FIRST, 0, kept)
    made.over()
    made.seal(end="session.ended")
    return made


def test_what_was_cut_out_is_proven_with_its_place_length_and_rule() -> None:
    made = cut_out(b"PASS ****\r\n")
    assert verify(made.chunks).cut == (1, 4)  # without any key of a recipient
    verdict = deep(made.chunks)
    assert verdict.complete
    assert verdict.cuts == [CutOut(FIRST, 0, 15, 4, "ftp.password")]
    untouched = conversation()
    assert verify(untouched.chunks).cut == (0, 0)
    entry = read_chunk(untouched.chunks[0]).entry
    assert b"cut" not in msgspec.msgpack.encode(entry)  # who knows no cuts still reads it


def test_bytes_that_are_there_although_they_were_cut_out_are_found() -> None:
    assert "1 bytes are there that were cut out" in deep(cut_out(b"PASS *a**\r\n").chunks).faults[0]
    assert "4 bytes are there that were cut out" in deep(cut_out(b"PASS ****\r\n", size=8).chunks).faults[0]


def test_a_place_that_was_cut_out_and_is_not_signed_is_found() -> None:
    made = cut_out(b"PASS ****\r\n")
    piece = Recording()
    piece.open()
    piece.say(FIRST, 0, b"PASS ****\r\n")
    piece.over()
    unsigned = piece.take()
    line = b'{"cut":"x","stream":"' + FIRST.encode() + b'","direction":0,"at":5,"bytes":4}\n'
    piece.seal("session.ended", replace(unsigned, index=unsigned.index + line))
    assert "0 in 0 signed" in deep(piece.chunks).faults[0]
    assert deep(made.chunks).fits
