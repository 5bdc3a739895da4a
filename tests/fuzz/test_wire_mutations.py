# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes arrive: a decoder returns a message or raises ProtocolError. Nothing else, ever."""

import contextlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import assume, given
from hypothesis import strategies as st

from portineria.bus.message import TO_CONTROL, TO_RELAY, Deliver, FromGateway, RelayUp
from portineria.core.errors import ProtocolError
from portineria.wire import leg, stream
from portineria.wire.certificate import check_leaf, issue, load_spki, make_issuer, make_root, spki
from portineria.wire.client_hello import alpn_names
from portineria.wire.enrolment import REQUEST, TRUST, EnrolmentRequest, Trust
from portineria.wire.envelope import read_signed, seal, unseal, verify
from portineria.wire.frame import FrameDecoder
from portineria.wire.http_connect import ProxyRefused, answered
from portineria.wire.report import Context, Event, Question, open_report, read_context, write_report
from portineria.wire.statement import (
    HoldAnswer,
    Letter,
    RegisterCheckpoint,
    Ticket,
    Time,
    Withdrawal,
    open_letter,
    open_ticket,
    sign_statement,
)
from tests.unit.wire.test_statement import ORDER

AT = datetime(2026, 11, 22, tzinfo=UTC)
NONCE = bytes(range(32))
ROOT_KEY, ISSUER_KEY, KEY = (ec.derive_private_key(number, ec.SECP256R1()) for number in (1, 2, 3))
ROOT = make_root(ROOT_KEY, "ins_a", AT)
ISSUER = make_issuer("relay", ISSUER_KEY.public_key(), root_key=ROOT_KEY, root=ROOT, at=AT)
LEAF = issue(
    "relay", "rel_a", KEY.public_key(), issuer_key=ISSUER_KEY, issuer=ISSUER, at=AT, life=timedelta(days=1),
    hosts=("relay.example", "192.0.2.1"),
)  # fmt: skip
CERTIFICATE = LEAF.public_bytes(Encoding.DER)
SIGNER, OPENING = Ed25519PrivateKey.from_private_bytes(NONCE), X25519PrivateKey.from_private_bytes(NONCE)
CONTEXT = Context("key_a", "gw_a", NONCE, 1, NONCE)
EVENT = Event(NONCE, 1, 2, "stream.opened", "ses_a", {"port": 502, "late": False})
REPORT, _ = write_report(EVENT, CONTEXT, key=SIGNER, recipient=OPENING.public_key())
TICKET = sign_statement(Ticket("ses_a", NONCE, "gw_a", "rel_a", 1, 8), SIGNER, "ticket:sig_a")
QUESTION, _ = write_report(
    Question(NONCE, NONCE, ["ses_a"], "1", register_size=7), CONTEXT, key=SIGNER, recipient=OPENING.public_key()
)
LETTERS: list[Letter] = [
    ORDER, Withdrawal("gw_a", "ses_a", 2, "drain", 600, "expired"), Time("gw_a", NONCE, 1),
    RegisterCheckpoint("gw_a", NONCE, "portineria/ins_a/org_a\n9\n", 7, [NONCE, NONCE]),
    HoldAnswer("gw_a", "ses_a", NONCE, NONCE, True, 5),
]  # fmt: skip


def client_hello(*alpn: str) -> bytes:
    """What OpenSSL really sends."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="relay.example").do_handshake()
    return outgoing.read()


TRUSTED = Trust("org_a", "gw_a", CERTIFICATE, {"relay": CERTIFICATE}, {"order:sig_a": CERTIFICATE}, [], [], "https://x")


def _letter(data: bytes) -> object:
    return open_letter(read_signed(data), SIGNER.public_key())


def _report(data: bytes) -> object:
    _, outer = read_context(data)
    return open_report(outer, key=OPENING, sender=SIGNER.public_key())


def _signed(data: bytes) -> object:
    signed = read_signed(data)
    return verify(signed, SIGNER.public_key(), kind=signed.type, version=1)


def _frames(data: bytes) -> object:
    return [leg.TO_RELAY.decode(frame) for frame in FrameDecoder().receive(data)]


SAMPLES: list[tuple[str, Callable[[bytes], object], bytes]] = [
    ("link frames", _frames, leg.TO_RELAY.frame(leg.Letters([b"a", b"b"])) + leg.TO_RELAY.frame(leg.Ping())),
    ("challenge", leg.FROM_RELAY.decode, leg.FROM_RELAY.encode(leg.Challenge(NONCE, "rel_a"))),
    ("welcome", leg.FROM_RELAY.decode, leg.FROM_RELAY.encode(leg.Welcome(55, 15))),
    ("connector leg", leg.TO_RELAY.decode, leg.TO_RELAY.encode(leg.ConnectorLeg(TICKET, b"key", b"sig", nested=False))),
    ("hello", lambda data: stream.FrameReader().receive(memoryview(data)),
     stream.encode_control(stream.Hello(NONCE, "str_a", "srv_a", 502, 0)) + stream.data_head(0, 4) + b"data"
     + stream.PING + stream.encode_ack(7) + stream.encode_eof(4)),
    ("client hello", alpn_names, client_hello("portineria-leg/1", "h2")),
    ("proxy", answered, b"HTTP/1.1 200 Connection established\r\nVia: squid\r\n\r\n"),
    ("enrolment request", REQUEST.decode, REQUEST.encode(EnrolmentRequest(b"k", NONCE, NONCE, "line 4", "1"))),
    ("trust", TRUST.decode, TRUST.encode(TRUSTED)),
    ("certificate", lambda data: check_leaf(data, kind="relay", issuer=ISSUER), CERTIFICATE),
    ("public key", load_spki, spki(KEY.public_key())),
    ("signer's key", load_spki, spki(SIGNER.public_key())),
    ("signed", _signed, TICKET),
    ("ticket", lambda data: open_ticket(data, SIGNER.public_key()), TICKET),
    *(("letter", _letter, sign_statement(letter, SIGNER, "order:sig_a")) for letter in LETTERS),
    ("report", _report, REPORT),
    ("question", _report, QUESTION),
    ("sealed", lambda data: unseal(data, OPENING, info=b""), seal(b"order", OPENING.public_key(), info=b"")),
    ("bus, from a relay", TO_CONTROL.decode, TO_CONTROL.encode(FromGateway("rel_a", "gw_a", [REPORT]))),
    ("bus, a relay's greeting", TO_CONTROL.decode, TO_CONTROL.encode(RelayUp("rel_a", ["gw_a"]))),
    ("bus, to a relay", TO_RELAY.decode, TO_RELAY.encode(Deliver("gw_a", [b"sealed"]))),
]  # fmt: skip
ids = [name for name, _, _ in SAMPLES]
# What nobody may alter unnoticed: a message that still opens after a change is a forgery.
PROTECTED = [sample for sample in SAMPLES if sample[0] in ("signed", "ticket", "letter", "report", "sealed")]


@st.composite
def mutated(draw: st.DrawFn, sample: bytes) -> bytes:
    """``sample`` with up to eight bytes changed, a part taken out, repeated or cut off, or rubbish put in."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    start, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
    act = draw(st.sampled_from(["leave", "take out", "repeat", "cut off", "put in"]))
    if act == "take out":
        del data[start:end]
    elif act == "repeat":
        data[end:end] = data[start:end]
    elif act == "cut off":
        del data[start:]
    elif act == "put in":
        data[start:start] = draw(st.binary(max_size=40))
    return bytes(data)


@pytest.mark.parametrize(("name", "decode", "sample"), SAMPLES, ids=ids)
def test_the_sample_itself_is_read(name: str, decode: Callable[[bytes], object], sample: bytes) -> None:
    assert decode(sample) is not None


def bear(name: str, decode: Callable[[bytes], object], data: bytes) -> None:
    """Decode; a proxy's refusal (e.g. 407) is the only answer beside ProtocolError, for it is not about bytes."""
    with contextlib.suppress(ProtocolError, *([ProxyRefused] if name == "proxy" else [])):
        decode(data)


@pytest.mark.filterwarnings("ignore::UserWarning")  # cryptography's remarks about serial numbers and the like
@pytest.mark.parametrize(("name", "decode", "sample"), SAMPLES, ids=ids)
@given(data=st.data())
def test_mutated_bytes_never_cause_more_than_a_protocol_error(
    name: str, decode: Callable[[bytes], object], sample: bytes, data: st.DataObject
) -> None:
    bear(name, decode, data.draw(mutated(sample)))


@pytest.mark.parametrize(("name", "decode", "sample"), SAMPLES, ids=ids)
@given(content=st.binary(max_size=200))
def test_random_bytes_never_cause_more_than_a_protocol_error(
    name: str, decode: Callable[[bytes], object], sample: bytes, content: bytes
) -> None:
    bear(name, decode, content)


@pytest.mark.parametrize(("name", "decode", "sample"), PROTECTED, ids=[sample[0] for sample in PROTECTED])
@given(data=st.data())
def test_a_protected_message_with_any_change_says_nothing_else(
    name: str, decode: Callable[[bytes], object], sample: bytes, data: st.DataObject
) -> None:
    change = data.draw(mutated(sample))
    assume(change != sample)
    try:
        said = decode(change)
    except ProtocolError:
        return
    assert said == decode(sample)  # only the wrapping was written in a longer form


@given(leading=st.sampled_from([b"\x91", b"\x81\xa1a", b"\x81\x91"]), depth=st.integers(1, 200_000))
@pytest.mark.parametrize(("name", "decode", "sample"), SAMPLES, ids=ids)
def test_nesting_of_any_depth_never_causes_more_than_a_protocol_error(
    name: str, decode: Callable[[bytes], object], sample: bytes, leading: bytes, depth: int
) -> None:
    bear(name, decode, leading * min(depth, 20_000))
