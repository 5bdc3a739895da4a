# SPDX-License-Identifier: Apache-2.0
"""What a gateway says: events (kept until acknowledged), questions (asked again when unanswered), glances and values of
signals (lost when nobody hears them).

Signed with the gateway's event key inside the seal; the outer type is one for all, its ``context`` is the HPKE
``info``, so that a relay can neither reorder nor re-address a report unnoticed (WIRE 18).
"""

from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from msgspec import Meta

from portineria.wire.envelope import read_signed, seal, sign, unseal, verify
from portineria.wire.feature import MOST as FEATURES
from portineria.wire.frame import BadFrame, Codec
from portineria.wire.statement import PRINTABLE, REGISTER_EVENTS, SIGNALS, Id, Nonce, PlainId, Sha256

VERSION = 1
EVENT_BYTES = 8192  # an event names things, it carries no traffic
# As many streams as a gateway has by its ordinary settings: 2,048 x 67 bytes are 134 KiB, and beside 4,096 sessions of
# 25 bytes still below a quarter of a link's frame.
QUESTION_STREAMS = 2048
KNOWN_SIGNERS = 64  # that a gateway keeps, 0.6 KiB each: every role renewed once a year for twenty years
INSPECTED = 64  # protocols
GLANCE_LINES = 20  # of one second: more nobody reads
GLANCE_ANSWERS = 40
SHOWN_CHARACTERS = 160
GLANCE_SEQ = -1  # where its report says that it stands: nowhere
SIGNALS_SEQ = -2  # the same, of values of consent signals
Field = str | int | bool
Shown = Annotated[str, Meta(max_length=SHOWN_CHARACTERS)]


class Context(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a report stands. Questions have ``seq`` 0, glances −1, values of signals −2; none is part of the chain."""

    recipient_key_id: Id
    gateway: Id
    epoch: Nonce
    seq: int
    prev_sha256: Sha256


class Event(msgspec.Struct, frozen=True, tag_field="is", tag="event", forbid_unknown_fields=True):
    """A fact. ``at_ms`` is the gateway's trusted time, 0 while it has none; ``boot_ms`` its monotonic clock."""

    boot: Nonce
    at_ms: int
    boot_ms: int
    code: Annotated[str, Meta(max_length=64)]
    session: Annotated[str, Meta(max_length=24)]
    fields: Annotated[dict[str, Field], Meta(max_length=32)]


class StreamTraffic(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How many bytes a running stream has carried so far: for who looks on. The proof is the event of its end."""

    session: PlainId
    stream: Id  # the connector's word: whoever chooses a strange one must not have the whole question refused
    to_device: Annotated[int, Meta(ge=0)]
    from_device: Annotated[int, Meta(ge=0)]


class Question(msgspec.Struct, frozen=True, tag_field="is", tag="question", forbid_unknown_fields=True):
    """Asks for the time and for a lease of each named session. Answered by Time and Leases with the same nonce.

    ``heard_ms``: the last time of the control plane that was believed, exactly as it was said, 0 before the first.
    So a question that a relay kept back is told from one of a second gateway. ``traffic`` rides along: no event, it
    stands in no chain and may be lost. ``signers``: whom the gateway believes, so that the control plane signs with
    what is believed here. ``register_size``: of the newest checkpoint kept here, 0 without one; None asks for none.
    ``acknowledged``: number of the last event of this epoch that the control plane acknowledged and this spool forgot.
    ``inspects``: the protocols that this gateway decodes. ``holds``: whether it can hold a request until somebody said
    yes to it. ``emergency``: mark of the terms for emergencies that are kept here, empty without any; None: this
    gateway knows of no such thing. ``understands``: names of ``wire.feature``, one list for whatever comes.
    """

    boot: Nonce
    nonce: Nonce
    sessions: Annotated[list[PlainId], Meta(max_length=4096)]
    version: Annotated[str, Meta(max_length=32, pattern=PRINTABLE)]
    spooled: int = 0
    heard_ms: Annotated[int, Meta(ge=0)] = 0
    traffic: Annotated[list[StreamTraffic], Meta(max_length=QUESTION_STREAMS)] = []
    signers: Annotated[list[PlainId], Meta(max_length=KNOWN_SIGNERS)] = []
    register_size: Annotated[int, Meta(ge=0, le=REGISTER_EVENTS)] | None = None
    acknowledged: Annotated[int, Meta(ge=0, le=REGISTER_EVENTS)] = 0
    inspects: Annotated[list[PlainId], Meta(max_length=INSPECTED)] = []
    holds: bool = False
    emergency: Annotated[bytes, Meta(max_length=32)] | None = None
    understands: Annotated[list[PlainId], Meta(max_length=FEATURES)] = []


class Seen(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One operation, or several alike within a second. All of it is shown, nothing obeyed: names and values are what
    the technician's tool and the device sent, in printable characters.

    ``number`` counts within ``boot`` and session. ``answered``: the device has said something by now.
    """

    number: Annotated[int, Meta(ge=1)]
    at_ms: int
    service: PlainId
    protocol: PlainId
    verdict: Annotated[str, Meta(max_length=24)]
    kind: Annotated[str, Meta(max_length=24)]
    function: Shown
    targets: Shown
    route: Shown
    values: Shown
    count: Annotated[int, Meta(ge=1)]
    answered: bool
    answer: Shown
    error: Shown


class LateAnswer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """To an operation that an earlier glance told."""

    number: Annotated[int, Meta(ge=1)]
    answer: Shown
    error: Shown


class Glance(msgspec.Struct, frozen=True, tag_field="is", tag="glance", forbid_unknown_fields=True):
    """What a watched session did within about a second. No event: it stands in no chain, is stored nowhere, and may be
    lost. ``part`` counts from 1, so that one that a relay plays again is noticed; ``beyond``: operations left out.
    """

    boot: Nonce
    session: PlainId
    part: Annotated[int, Meta(ge=1)]
    at_ms: int
    lines: Annotated[list[Seen], Meta(max_length=GLANCE_LINES)]
    answers: Annotated[list[LateAnswer], Meta(max_length=GLANCE_ANSWERS)] = []
    beyond: Annotated[int, Meta(ge=0)] = 0


class SignalValue(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """``on`` None: it could not be read, and ``fault`` says why."""

    signal: PlainId
    on: bool | None
    fault: Annotated[str, Meta(max_length=64, pattern=PRINTABLE)] = ""


class SignalValues(msgspec.Struct, frozen=True, tag_field="is", tag="signals", forbid_unknown_fields=True):
    """What consent signals were when they were read last, after ``nonce`` came. No event: it stands in no chain, and
    silence is as good as a no. ``part`` counts from 1 within ``boot``: what a relay plays again is noticed.
    """

    boot: Nonce
    nonce: Nonce
    part: Annotated[int, Meta(ge=1)]
    values: Annotated[list[SignalValue], Meta(max_length=SIGNALS)]


class Report(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What crosses the relay."""

    context: Annotated[bytes, Meta(max_length=256)]
    sealed: bytes


_CONTEXT: Codec[Context] = Codec(Context)
_REPORT: Codec[Report] = Codec(Report)
Body = Event | Question | Glance | SignalValues
_INSIDE: Codec[Body] = Codec(Body)


def write_report(
    body: Body, context: Context, *, key: Ed25519PrivateKey, recipient: X25519PublicKey
) -> tuple[bytes, bytes]:
    """Return the report as it goes on the wire, and the exact signed bytes whose SHA-256 chains the next event."""
    exact = msgspec.msgpack.encode(body)
    if len(exact) > EVENT_BYTES and isinstance(body, Event):
        raise BadFrame(f"event of {len(exact)} bytes, allowed {EVENT_BYTES}")
    outer = _CONTEXT.encode(context)
    # The context is signed too: the seal alone would not prove to a third party where the event stood in its chain.
    statement = _positioned(outer, exact)
    signed = sign(key, kind="portineria.report", version=VERSION, signer=context.gateway, statement=statement)
    return _REPORT.encode(Report(outer, seal(signed, recipient, info=outer))), signed


def _positioned(outer: bytes, exact: bytes) -> bytes:
    return len(outer).to_bytes(2, "big") + outer + exact


def read_context(report: bytes) -> tuple[Context, Report]:
    """Only says which keys to use; nothing is believed before ``open_report``."""
    outer = _REPORT.decode(report)
    return _CONTEXT.decode(outer.context), outer


def open_report(outer: Report, *, key: X25519PrivateKey, sender: Ed25519PublicKey) -> tuple[Body, bytes]:
    """Return the body and the exact signed bytes; raise BadSeal or BadSignature."""
    raw = unseal(outer.sealed, key, info=outer.context)
    statement = verify(read_signed(raw), sender, kind="portineria.report", version=VERSION)
    length = int.from_bytes(statement[:2], "big")
    if statement[2 : 2 + length] != outer.context:
        raise BadFrame("the signed context is not the one on the outside")
    return _INSIDE.decode(statement[2 + length :]), raw
