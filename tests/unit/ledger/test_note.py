# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from portineria.core.errors import ProtocolError
from portineria.ledger.checkpoint import Checkpoint, origin_of, parse_checkpoint, read_checkpoint
from portineria.ledger.note import (
    COSIGNATURE,
    NOTE_BYTES,
    BadNote,
    BadNoteSignature,
    Note,
    check_signed,
    cosign,
    parse_note,
    parse_verifier_key,
    sign,
    verifier_key,
)

# The note and key that the format's first implementation (golang.org/x/mod/sumdb/note) documents.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# https://c2sp.org/tlog-cosignature: the layout of a cosigned checkpoint (its keys are not published).
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2))
TEXT = Checkpoint("portineria/ins_a/org_a", 7, bytes(range(32))).text()


def test_the_published_note_verifies() -> None:
    key = parse_verifier_key(PUBLISHED_KEY)
    assert str(key) == PUBLISHED_KEY
    assert key.seen_at(parse_note(PUBLISHED)) == 0
    with pytest.raises(BadNoteSignature):
        key.seen_at(parse_note(PUBLISHED.replace("problem,", "problem;")))


def test_the_published_checkpoint_reads_and_is_written_again_byte_for_byte() -> None:
    note, checkpoint = read_checkpoint(EXAMPLE)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert (checkpoint.text(), str(note)) == (note.text, EXAMPLE)
    assert int.from_bytes(note.signatures[1].value[:8], "big") == 1679315147


def test_a_key_of_the_same_name_is_another_key() -> None:
    note = Note(TEXT, (sign(TEXT, "log", KEY),))
    assert verifier_key("log", KEY).seen_at(note) == 0
    assert verifier_key("log", OTHER).seen_at(note) is None
    assert verifier_key("logs", KEY).seen_at(note) is None
    assert verifier_key("log", KEY, COSIGNATURE).seen_at(note) is None
    with pytest.raises(BadNoteSignature, match="no key that is known"):
        check_signed(note, [verifier_key("log", OTHER)])


def test_a_cosignature_says_when_and_covers_it() -> None:
    key = verifier_key("witness", KEY, COSIGNATURE)
    note = Note(TEXT, (cosign(TEXT, "witness", KEY, 1_700_000_000), cosign(TEXT, "witness", KEY, 1_800_000_000)))
    assert key.seen_at(note) == 1_800_000_000
    signature = note.signatures[0]
    moved = (1_900_000_000).to_bytes(8, "big") + signature.value[8:]
    forged = Note(TEXT, (type(signature)(signature.name, signature.key_id, moved),))
    with pytest.raises(BadNoteSignature):
        key.seen_at(forged)


def test_a_forged_signature_of_a_known_key_spoils_the_note() -> None:
    good, other = sign(TEXT, "log", KEY), sign("another text\n", "log", KEY)
    with pytest.raises(BadNoteSignature):
        check_signed(Note(TEXT, (good, other)), [verifier_key("log", KEY)])


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "text without a signature\n",
        PUBLISHED[:-1],
        PUBLISHED.replace("— ", "- "),
        PUBLISHED.replace("PeterNeumann", "Peter Neumann"),
        PUBLISHED.replace("PeterNeumann", "Peter+Neumann"),
        PUBLISHED.replace("PeterNeumann", "Peter\u2003Neumann"),
        PUBLISHED.replace("x08g", "x0*g"),
        PUBLISHED.replace("you think", "you\tthink"),
        PUBLISHED.replace("\n\n", "\n"),
        PUBLISHED.replace("you think", "you \ud800 think"),
        "\n\n— a eA==\n",
        "text\n\n— a AAAAAA==\n",
        PUBLISHED + "— a " + "A" * NOTE_BYTES + "\n",
        PUBLISHED + PUBLISHED.splitlines(keepends=True)[-1] * 100,
    ],
)
def test_what_is_no_note_is_refused(broken: str) -> None:
    with pytest.raises(BadNote):
        parse_note(broken)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "a+b",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        f"a+00000000+{base64.b64encode(bytes([9]) + bytes(32)).decode()}",
        f"a+00000000+{base64.b64encode(bytes([1]) + bytes(31)).decode()}",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
    ],
)
def test_what_is_no_key_is_refused(broken: str) -> None:
    with pytest.raises(BadNote):
        parse_verifier_key(broken)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n7\n",
        "origin\n07\nAAAA\n",
        "origin\n-1\n" + base64.b64encode(bytes(32)).decode() + "\n",
        "origin\n7\n" + base64.b64encode(bytes(31)).decode() + "\n",
        "origin\n7\n*\n",
        "\n7\n" + base64.b64encode(bytes(32)).decode() + "\n",
        "origin\n7\n" + base64.b64encode(bytes(32)).decode() + "\n\nmore\n",
        "origin\n7\n" + base64.b64encode(bytes(32)).decode(),
        "o" * 256 + "\n7\n" + base64.b64encode(bytes(32)).decode() + "\n",
        f"origin\n{'9' * 20}\n" + base64.b64encode(bytes(32)).decode() + "\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        parse_checkpoint(text)


@given(st.text(), st.integers(0, 3))
def test_nothing_but_a_protocol_error_comes_out(data: str, place: int) -> None:
    pieces = PUBLISHED.split("\n")
    pieces.insert(place, data)
    for text in (data, "\n".join(pieces)):
        for read in (parse_note, parse_checkpoint, parse_verifier_key, read_checkpoint):
            try:
                read(text)
            except ProtocolError:
                continue


@given(st.integers(0, 10**18), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_survives_its_text(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin_of("ins_a", "org_a"), size, root)
    note = Note(checkpoint.text(), (sign(checkpoint.text(), checkpoint.origin, KEY),))
    assert read_checkpoint(str(note)) == (note, checkpoint)
