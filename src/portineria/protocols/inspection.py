# SPDX-License-Identifier: Apache-2.0
"""The gate through which one connection to a device goes, request by request.

Whoever owns the sockets feeds both directions, decides each request, and sends what it is given back:

    requests = inspection.from_client(data)
    client.send(inspection.owed())
    for request in requests:
        if allowed(request):
            device.send(inspection.forward(request))
        else:
            refusal = inspection.refuse(request)
            client.send(refusal.to_client), device.send(refusal.to_device)
    for answer in inspection.from_device(data):
        client.send(answer.data)

Requests are decided in any order (one may be held while later ones pass), each exactly once. Protocols that number
their messages are renumbered on both sides, so that neither notices that one was left out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from portineria.core.errors import ProtocolError
from portineria.protocols.operation import Kind, Operation, Value
from portineria.protocols.transfer import StepOf


class Undecodable(ProtocolError):
    """Bytes that this protocol does not allow here: nothing of them may pass, and the connection ends."""

    code = "protocol.undecodable"


@dataclass(frozen=True, slots=True)
class Withheld:
    """``size`` bytes at ``at`` of a message's data that whoever keeps it leaves out. ``rule``: a stable name of why.

    ``content``: of a program or a file, kept where its owners agreed; otherwise it is a secret in clear, never kept.
    ``continues``: the one before it, of which it is the next piece; between them stands what frames the message.
    """

    rule: str
    at: int
    size: int
    content: bool = False
    continues: bool = False


@dataclass(slots=True, eq=False)
class Request:
    """One message of the client. Several ``operations`` when it bundles them: all pass, or none.

    ``data`` as it came, whole. ``expects_answer``: False when the device will say nothing to it.
    ``withheld``: in the order of their places.
    """

    operations: tuple[Operation, ...]
    data: bytes
    expects_answer: bool = True
    withheld: tuple[Withheld, ...] = ()


@dataclass(slots=True, eq=False)
class Answer:
    """One message of the device. ``data`` is what the client is to get, ``to`` what it answers (None: unasked).

    ``error``: empty, or the device's own no in the protocol's words ("exception 2: illegal data address").
    ``values``: what was read, one tuple for each operation of the request; empty where nothing is.
    ``shares``: how many of them are of each target, where one operation reads several.
    """

    data: bytes
    to: Request | None = None
    error: str = ""
    values: tuple[tuple[Value, ...], ...] = ()
    operations: tuple[Operation, ...] = field(default=())  # what it tells unasked: a report, an event
    shares: tuple[int, ...] = ()
    withheld: tuple[Withheld, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The protocol's own no. Where it has none for this request ``to_client`` is empty and the client times out."""

    to_client: bytes
    to_device: bytes = b""


class Inspection(ABC):
    """One TCP connection. Memory is bounded whatever comes; what exceeds a bound raises Undecodable."""

    @abstractmethod
    def from_client(self, data: bytes | memoryview) -> list[Request]:
        """Return the requests completed by ``data``, in order. Raise Undecodable."""

    @abstractmethod
    def forward(self, request: Request) -> bytes:
        """Return what goes to the device."""

    @abstractmethod
    def refuse(self, request: Request) -> Refusal:
        """Return what goes to the client instead; the device never hears of it."""

    def owed(self) -> bytes:
        """Return what the client waits for before it says the rest of a request; ask after each ``from_client``."""
        return b""

    def content(self, request: Request) -> bytes:
        """Return what a request that is not yet decided asks, without what numbers or dates it: the same when it is
        asked again. Where a protocol does not say, all of it.
        """
        return request.data

    def read_first(self, request: Request) -> Request | None:
        """A read of what an undecided request would write, under a number of its own, as forwarded; its answer has no
        data for the client. None where the protocol cannot, or anything is under way.
        """
        return None

    @abstractmethod
    def from_device(self, data: bytes | memoryview) -> list[Answer]:
        """Return the answers completed by ``data``, in order. Raise Undecodable."""


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """One function that a decoder knows by name, with the clause of the specification that it was written from."""

    name: str
    code: str
    kind: Kind
    clause: str


@dataclass(frozen=True, slots=True)
class ProtocolInfo:
    """``ports``: where it is usually found. ``recognise``: whether a connection begins as this protocol's does, given
    the client's first bytes (at least 8 of them, or all there are). ``functions``: all that have a name, in the order
    in which they are shown. ``own``: routes that mean the device itself, besides none at all. ``patience_s``: how long
    an ordinary client waits for an answer, where nobody says what the technician's tool does. ``withholds``: whether
    its messages say what of them is not to be kept. ``mend``: gives a message, bytes of which were replaced, with the
    checks that it has now; None where it has no checks. ``step``: what an operation is to a program or file that is
    carried; None where none is.
    """

    name: str
    title: str
    ports: tuple[int, ...]
    begin: Callable[[], Inspection]
    recognise: Callable[[bytes], bool]
    functions: tuple[FunctionInfo, ...] = ()
    own: tuple[tuple[str, ...], ...] = ()
    patience_s: float = 3.0
    withholds: bool = False
    mend: Callable[[bytes], bytes] | None = None
    step: StepOf | None = None
