# SPDX-License-Identifier: Apache-2.0
"""What control processes and relays tell each other. What a relay says is untrusted input (WIRE 3)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from portineria.wire.frame import Codec
from portineria.wire.statement import PRINTABLE, Id, PlainId, Sha256


class _Message(msgspec.Struct, frozen=True, tag_field="is", forbid_unknown_fields=True):
    pass


class Deliver(_Message, frozen=True, tag="deliver"):
    """control → relay: sealed statements for a gateway that has a link there. Dropped when it has none."""

    gateway: Id
    sealed: list[bytes]


class CloseLegs(_Message, frozen=True, tag="close-legs"):
    """control → relay: close every leg of this session now, without waiting for the gateway."""

    session: Id


class DropGateway(_Message, frozen=True, tag="drop-gateway"):
    """control → relay: revoked; close its link and its legs."""

    gateway: Id


class SetAdmitted(_Message, frozen=True, tag="set-admitted"):
    """control → relay: the signed, numbered list of gateways that may come in."""

    signed: bytes


class Greet(_Message, frozen=True, tag="greet"):
    """control → relay: say ``RelayUp`` now. Between the two ends of a bus; nobody behind them hears of it."""


class RelayUp(_Message, frozen=True, tag="relay-up"):
    """relay → control: I started or came back, and have these links. Everything else about me is forgotten."""

    relay: PlainId
    gateways: list[PlainId]


class LinkUp(_Message, frozen=True, tag="link-up"):
    relay: PlainId
    gateway: PlainId
    spki_sha256: Sha256
    peer: Annotated[str, Meta(max_length=64, pattern=PRINTABLE)]


class LinkDown(_Message, frozen=True, tag="link-down"):
    relay: PlainId
    gateway: PlainId


class FromGateway(_Message, frozen=True, tag="from-gateway"):
    relay: PlainId
    gateway: PlainId
    sealed: list[bytes]


class LegsClosed(_Message, frozen=True, tag="legs-closed"):
    """relay → control: one leg pair of this session is closed at the relay."""

    relay: PlainId
    session: PlainId
    bytes_to_gateway: int
    bytes_to_connector: int


class News(_Message, frozen=True, tag="news"):
    """control → control: something was recorded; what, is asked in the database."""

    organisation: Id
    seq: int
    code: Annotated[str, Meta(max_length=64)]
    actor: Id
    session: Id = ""
    machine: Id = ""
    gateway: Id = ""
    person: Id = ""


class Glanced(_Message, frozen=True, tag="glanced"):
    """control → control: what a gateway shows of sessions that are watched, still sealed: whoever has such a page open
    opens it. Kept nowhere."""

    gateway: PlainId
    sealed: list[bytes]


ToControls = News | Glanced
ToRelay = Deliver | CloseLegs | DropGateway | SetAdmitted
ToControl = RelayUp | LinkUp | LinkDown | FromGateway | LegsClosed
TO_RELAY: Codec[ToRelay] = Codec(ToRelay)
TO_CONTROL: Codec[ToControl] = Codec(ToControl)
TO_RELAY_OR_GREET: Codec[ToRelay | Greet] = Codec(ToRelay | Greet)
NEWS: Codec[ToControls] = Codec(ToControls)
