# SPDX-License-Identifier: Apache-2.0
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from portineria.wire.envelope import BadSeal, BadSignature, seal, sign
from portineria.wire.frame import LINK_FRAME_BYTES, BadFrame
from portineria.wire.report import (
    EVENT_BYTES,
    QUESTION_STREAMS,
    Body,
    Context,
    Event,
    Question,
    Report,
    StreamTraffic,
    _positioned,
    open_report,
    read_context,
    write_report,
)
from portineria.wire.statement import sha256

KEY, OTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
OPENING, OTHER_OPENING = X25519PrivateKey.generate(), X25519PrivateKey.generate()
BOOT = bytes(range(32))
EVENT = Event(
    BOOT, 1_790_000_000_000, 5000, "stream.opened", "ses_aaaaaaaaaaaaaaaa", {"address": "10.0.0.5", "port": 502}
)
QUESTION = Question(BOOT, BOOT, ["ses_aaaaaaaaaaaaaaaa"], "0.1")


def context(seq: int, previous: bytes = bytes(32)) -> Context:
    return Context("key_a", "gw_aaaaaaaaaaaaaaaa", BOOT, seq, previous)


def written(body: Event | Question, where: Context, key: Ed25519PrivateKey = KEY) -> tuple[bytes, bytes]:
    return write_report(body, where, key=key, recipient=OPENING.public_key())


def opened(report: bytes) -> tuple[Context, Body, bytes]:
    where, outer = read_context(report)
    body, exact = open_report(outer, key=OPENING, sender=KEY.public_key())
    return where, body, exact


def test_a_chain_of_two_events_arrives_with_its_places_and_hashes() -> None:
    first, first_exact = written(EVENT, context(1))
    second, _ = written(EVENT, context(2, sha256(first_exact)))
    assert opened(first) == (context(1), EVENT, first_exact)
    where, _, _ = opened(second)
    assert where.prev_sha256 == sha256(first_exact)
    assert b"10.0.0.5" not in first


def test_a_question_arrives_as_one() -> None:
    report, _ = written(QUESTION, context(0))
    assert opened(report)[1] == QUESTION


def test_a_question_tells_what_running_streams_have_carried_and_no_more_than_fit() -> None:
    one = StreamTraffic("ses_aaaaaaaaaaaaaaaa", "str_aaaaaaaaaaaaaaaa", (1 << 63) - 1, 0)
    asked = Question(BOOT, BOOT, ["ses_aaaaaaaaaaaaaaaa"] * 4096, "0.1", traffic=[one] * QUESTION_STREAMS)
    report, _ = written(asked, context(0))
    assert opened(report)[1] == asked
    assert len(report) < LINK_FRAME_BYTES // 4
    more, _ = written(Question(BOOT, BOOT, [], "0.1", traffic=[one] * (QUESTION_STREAMS + 1)), context(0))
    with pytest.raises(BadFrame):
        opened(more)


def test_a_count_below_nothing_is_refused() -> None:
    report, _ = written(Question(BOOT, BOOT, [], "0.1", traffic=[StreamTraffic("ses_a", "str_a", -1, 0)]), context(0))
    with pytest.raises(BadFrame):
        opened(report)


def test_a_relay_that_moves_an_event_to_another_place_is_found_out() -> None:
    _, outer = read_context(written(EVENT, context(1))[0])
    _, other = read_context(written(EVENT, context(2))[0])
    with pytest.raises(BadSeal):
        open_report(Report(other.context, outer.sealed), key=OPENING, sender=KEY.public_key())


def test_who_seals_anew_cannot_move_the_event_either() -> None:
    """The seal needs no secret: only the place under the signature stops a relay that somehow learnt the content."""
    _, exact = written(EVENT, context(1))
    _, elsewhere = read_context(written(EVENT, context(2))[0])
    sealed = seal(exact, OPENING.public_key(), info=elsewhere.context)
    with pytest.raises(BadFrame, match="context"):
        open_report(Report(elsewhere.context, sealed), key=OPENING, sender=KEY.public_key())


def test_another_gateways_signature_is_refused() -> None:
    _, outer = read_context(written(EVENT, context(1), OTHER_KEY)[0])
    with pytest.raises(BadSignature):
        open_report(outer, key=OPENING, sender=KEY.public_key())


def test_only_the_recipient_opens_a_report() -> None:
    _, outer = read_context(written(EVENT, context(1))[0])
    with pytest.raises(BadSeal):
        open_report(outer, key=OTHER_OPENING, sender=KEY.public_key())


def test_an_event_that_carries_traffic_is_not_written() -> None:
    large = Event(BOOT, 0, 0, "stream.opened", "", {"payload": "x" * EVENT_BYTES})
    with pytest.raises(BadFrame):
        written(large, context(1))


@pytest.mark.parametrize("statement", [b"", b"\0", b"\xff\xff"])
def test_a_signed_report_without_a_place_is_refused(statement: bytes) -> None:
    _, outer = read_context(written(EVENT, context(1))[0])
    signed = sign(KEY, kind="portineria.report", version=1, signer="gw_aaaaaaaaaaaaaaaa", statement=statement)
    sealed = seal(signed, OPENING.public_key(), info=outer.context)
    with pytest.raises(BadFrame):
        open_report(Report(outer.context, sealed), key=OPENING, sender=KEY.public_key())


def test_a_body_of_no_known_kind_is_refused() -> None:
    _, outer = read_context(written(EVENT, context(1))[0])
    statement = _positioned(outer.context, b"\x81\xa2is\xa5order")
    signed = sign(KEY, kind="portineria.report", version=1, signer="gw_aaaaaaaaaaaaaaaa", statement=statement)
    sealed = seal(signed, OPENING.public_key(), info=outer.context)
    with pytest.raises(BadFrame):
        open_report(Report(outer.context, sealed), key=OPENING, sender=KEY.public_key())


@pytest.mark.parametrize("report", [b"", b"\x92\xc4\x00\xc4\x00", b"\x92\xc4\x01\xc1\xc4\x00"])
def test_what_is_no_report_is_refused_before_any_key_is_looked_up(report: bytes) -> None:
    with pytest.raises(BadFrame):
        read_context(report)


def test_a_batch_of_the_largest_events_fits_a_links_frame_as_the_limits_say() -> None:
    room = EVENT_BYTES - len(msgspec.msgpack.encode(msgspec.structs.replace(EVENT, fields={"text": ""})))
    largest = msgspec.structs.replace(
        EVENT, fields={"text": "x" * (room - 2)}
    )  # text of that length begins with two bytes more
    assert len(msgspec.msgpack.encode(largest)) == EVENT_BYTES
    report, _ = written(largest, context(2**53))
    assert len(report) <= 8.5 * 1024
    assert LINK_FRAME_BYTES > 64 * 8.5 * 1024
