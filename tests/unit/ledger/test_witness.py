# SPDX-License-Identifier: Apache-2.0
"""A witness answers as the protocol says, and cosigns one history only."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from portineria.core.errors import ProtocolError
from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.merkle import EMPTY_ROOT
from portineria.ledger.note import COSIGNATURE, Note, Signature, cosign, sign, verifier_key
from portineria.ledger.witness import (
    PROOF_LINES,
    REQUEST_BYTES,
    Answer,
    Evidence,
    Known,
    answer_name,
    answered,
    consider,
    cosignature_in,
    read_answer,
    read_request,
    request_name,
    size_asked,
    size_in,
    write_answer,
    write_request,
)
from tests.unit.witness.history import FORGED, HONEST, KEY, ORIGIN, OTHER, TRUSTED

WITNESS = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32))
WITNESS_KEY = verifier_key("witness.example/w1", WITNESS, COSIGNATURE)
# The request that the protocol's text prints as its example, with one of its two signatures.
EXAMPLE = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
""".encode()


def known(size: int, at: int | None = None) -> Known:
    """As a witness knows the honest history that cosigned it at ``size``, and earlier at ``at``."""
    return Known(size, HONEST.root(size), HONEST.root(size if at is None else at) if size else None)


def status(data: bytes, of: Known, keys: object = TRUSTED) -> int:
    answer = consider(read_request(data), keys, of)  # type: ignore[arg-type]
    return answer.status if answer else 200


def test_the_example_of_the_protocol_is_read_and_written_alike() -> None:
    request = read_request(EXAMPLE)
    assert (request.old, request.checkpoint.size, len(request.proof)) == (20852014, 20852163, 4)
    assert write_request(request.old, request.proof, str(request.note)) == EXAMPLE


@pytest.mark.parametrize(("old", "size"), [(0, 1), (0, 40), (1, 2), (7, 8), (8, 40), (40, 40), (33, 40)])
def test_what_continues_is_cosigned(old: int, size: int) -> None:
    fresh = known(old) if old else Known()
    if old != size:
        fresh = Known(fresh.size, fresh.root)
    assert consider(read_request(HONEST.request(old, size)), TRUSTED, fresh) is None


def test_what_is_not_watched_and_what_nobody_trusted_signed() -> None:
    data = HONEST.request(0, 3)
    assert status(data, Known(), []) == 404
    assert status(data, Known(), [verifier_key(ORIGIN, OTHER)]) == 403
    assert status(HONEST.request(0, 3, OTHER), Known()) == 403
    forged = data.replace(b"\n3\n", b"\n4\n", 1)
    assert status(forged, Known()) == 403


def test_an_old_size_that_is_not_the_cosigned_one_is_told_the_right_one() -> None:
    for old in (0, 7, 9):
        answer = consider(read_request(HONEST.request(old, 20)), TRUSTED, Known(8, HONEST.root(8)))
        assert answer is not None
        assert (answer.status, answer.body, answer.content_type) == (409, "8\n", "text/x.tlog.size")
        assert answer.evidence is None
        assert size_in(answer.body) == 8


def test_a_proof_of_another_history_proves_nothing_and_is_kept() -> None:
    answer = consider(read_request(FORGED.request(8, 20)), TRUSTED, Known(8, HONEST.root(8)))
    assert answer is not None
    assert (answer.status, answer.evidence) == (422, Evidence.UNPROVEN)
    longer = read_request(HONEST.request(8, 20))
    for proof in (longer.proof[:-1], (*longer.proof, bytes(32)), ()):
        data = write_request(8, proof, str(longer.note))
        assert status(data, Known(8, HONEST.root(8))) == 422
    assert status(write_request(0, [bytes(32)], str(longer.note)), Known()) == 422


def test_another_root_of_the_same_size_is_two_histories_however_it_is_asked() -> None:
    for old, size in ((20, 20), (0, 20), (8, 20), (0, 12)):
        answer = consider(read_request(FORGED.request(old, size)), TRUSTED, known(20, size))
        assert answer is not None
        assert (answer.status, answer.body, answer.evidence) == (409, "20\n", Evidence.CONTRADICTION)


def test_a_register_of_nothing_has_one_root() -> None:
    text = Checkpoint(ORIGIN, 0, EMPTY_ROOT).text()
    assert status(write_request(0, [], str(Note(text, (sign(text, ORIGIN, KEY),)))), Known()) == 200
    text = Checkpoint(ORIGIN, 0, bytes(32)).text()
    assert status(write_request(0, [], str(Note(text, (sign(text, ORIGIN, KEY),)))), Known()) == 409


NOTE = EXAMPLE.partition(b"\n\n")[2]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"old 1", b"old 1\n\n", b"old 01\n\n" + NOTE, b"old -1\n\n" + NOTE, b"old \n\n" + NOTE,
        b"Old 1\n\n" + NOTE,
        b"old 20852164\n\n" + NOTE, b"old 1 \n\n" + NOTE, b"old 1\r\n\n" + NOTE, b"old 1\n===\n\n" + NOTE,
        b"old 1\nAAAA\n\n" + NOTE, b"\xff" + EXAMPLE, EXAMPLE + b" " * REQUEST_BYTES,
        EXAMPLE.replace(b"20852163", b"9999999999999999999"),
        b"old 1\n" + (base64.b64encode(bytes(32)) + b"\n") * (PROOF_LINES + 1) + b"\n" + NOTE,
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_request(data)


def test_the_longest_proof_is_read() -> None:
    lines = (base64.b64encode(bytes(32)) + b"\n") * PROOF_LINES
    assert len(read_request(b"old 1\n" + lines + b"\n" + NOTE).proof) == PROOF_LINES


@given(st.binary(max_size=300), st.integers(0, 700), st.integers(1, 255))
def test_nothing_but_a_protocol_error_comes_out(garbage: bytes, place: int, by: int) -> None:
    changed = bytearray(EXAMPLE)
    changed[place % len(changed)] ^= by
    for data in (garbage, bytes(changed), EXAMPLE[:place], garbage + EXAMPLE, EXAMPLE + garbage):
        try:
            request = read_request(data)
        except ProtocolError:
            continue
        assert consider(request, TRUSTED, Known()) is not None


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.booleans())
def test_only_what_continues_the_known_history_is_ever_cosigned(old: int, size: int, at: int, forged: bool) -> None:
    if old > size:
        return
    data = (FORGED if forged else HONEST).request(old, size)
    cosigned = consider(read_request(data), TRUSTED, Known(at, HONEST.root(at))) is None
    same = not forged or at < 5 if at == old else False
    assert cosigned == (old == at and same)


def test_the_answer_holds_the_witness_s_signature_or_counts_for_nothing() -> None:
    text = Checkpoint(ORIGIN, 3, HONEST.root(3)).text()
    note = Note(text, (sign(text, ORIGIN, KEY),))
    right = cosign(text, WITNESS_KEY.name, WITNESS, 1_800_000_000)
    later = cosign(text, WITNESS_KEY.name, WITNESS, 1_800_000_001)
    stranger = cosign(text, "witness.example/w2", OTHER, 1)
    assert cosignature_in(stranger.line() + right.line() + later.line(), note, WITNESS_KEY) == (later, 1_800_000_001)
    elsewhere = cosign(text.replace("3", "4"), WITNESS_KEY.name, WITNESS, 1)
    claimed = Signature(WITNESS_KEY.name, WITNESS_KEY.key_id, bytes(72))
    for body in ("", "\n", "nonsense\n", stranger.line(), elsewhere.line(), claimed.line(), right.line() * 65):
        with pytest.raises(ProtocolError):
            cosignature_in(body, note, WITNESS_KEY)


@pytest.mark.parametrize("body", ["", "8", "08\n", "8\n\n", "-8\n", "x\n", "9999999999999999999\n", "٣\n"])
def test_a_size_that_is_none_is_refused(body: str) -> None:
    with pytest.raises(ProtocolError):
        size_in(body)


def test_files_say_by_their_names_what_they_are() -> None:
    name = request_name(ORIGIN, 8, 20)
    assert size_asked(name) == 20
    answer = answer_name(name, WITNESS_KEY.key_id)
    assert answered(answer, WITNESS_KEY.key_id) == (name, 20)
    assert answered(answer, bytes(4)) is None
    assert answered("../" + answer, WITNESS_KEY.key_id) is None
    assert size_asked(answer) is None
    endless = request_name(ORIGIN, 8, 10**19 - 1)
    assert size_asked(endless) is None
    assert answered(answer_name(endless, WITNESS_KEY.key_id), WITNESS_KEY.key_id) is None
    assert size_asked(f"{name}.part") is None


@given(st.binary(max_size=50))
def test_an_answer_by_file_is_read_or_refused(data: bytes) -> None:
    assert read_answer(write_answer(Answer(409, "20\n"))) == Answer(409, "20\n")
    try:
        read_answer(data)
    except ProtocolError:
        return
    assert data[:3].isdigit()
