# SPDX-License-Identifier: Apache-2.0
"""A conversation of any bytes with a decoder, and what holds of it whatever they are.

Octets are read as steps: who speaks, whether what is asked is allowed, and what is said, as it is or framed rightly.
The rules are those that the gateway relies on, and they are checked without knowing the protocol:

- nothing but Undecodable comes out, and then the connection is over;
- however the same bytes are split, the same operations come out, and the same bytes go on;
- each request is the bytes that came, in their order;
- a second decoder in front of the device reads in what goes on exactly the operations that were allowed, none more;
- a third one beside the client can read what the client is told, refusals included;
- whatever was asked, it can be said what it is to a file or program that is carried, and nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from portineria.protocols.inspection import Answer, Inspection, ProtocolInfo, Request, Undecodable
from portineria.protocols.operation import MAX_TEXT, MAX_VALUES, Kind, Operation, Value
from portineria.protocols.transfer import StepOf
from tests.fuzz.framing import Framing

DEVICE, REFUSED, FRAMED = 0x80, 0x40, 0x20  # of a step's first octet; the lowest four bits begin its length
OPENED = 0x01  # of the first octet of all
MOST_STEPS = 64
ALTERNATES = {"dnp3"}  # segments to several outstations may
OF_TWO_STATES = {"iec104"}  # a refused start or stop leaves the two sides in different ones: what the device then does
# with what follows, which a tool would not say before it has an answer, is its own to decide
ACKNOWLEDGES = {"dnp3"}  # parts of a request before it is decided, so that the order depends on what came together


class Broken(AssertionError):
    """A rule does not hold. The message says which."""


class Step(NamedTuple):
    """``ours``: said by a decoder itself and by neither side."""

    from_client: bool
    allowed: bool
    data: bytes
    ours: bool = False


def steps(protocol: str, octets: bytes) -> list[Step]:
    framing, found = Framing(protocol), list[Step]()
    if octets[:1] and octets[0] & OPENED:
        found += [Step(from_client, True, data) for from_client, data in framing.opening()]
    at = 1
    while at + 2 <= len(octets) and len(found) < MOST_STEPS:
        head, size = octets[at], (octets[at] & 0x0F) << 8 | octets[at + 1]
        data, at = octets[at + 2 : at + 2 + size], at + 2 + size
        from_client = not head & DEVICE
        if head & FRAMED:
            data = framing.wrap(from_client, data)
        found.append(Step(from_client, not head & REFUSED, data))
    return found


def script(said: list[tuple[bool, bytes, bool]], *, opened: bool = False) -> bytes:
    """The octets that are read as this: by the client?, what, framed?"""
    found = bytes([OPENED if opened else 0])
    for from_client, data, framed in said:
        head = (0 if from_client else DEVICE) | (FRAMED if framed else 0)
        for at in range(0, len(data), 0xFFF):
            part = data[at : at + 0xFFF]
            found += bytes([head | len(part) >> 8, len(part) & 0xFF]) + part
    return found


@dataclass
class Played:
    """``asked``, ``allowed``: operations, in words, since a float may be none. ``ended``: at bytes it cannot read.

    ``to_device``, ``to_client``: of each step, what is given on.
    """

    inspection: Inspection
    asked: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    came: list[bytes] = field(default_factory=list)
    to_device: list[list[Step]] = field(default_factory=list)
    to_client: list[list[Step]] = field(default_factory=list)
    ended: bool = False
    refused_last: bool = False
    session_refused: bool = False
    step_of: StepOf | None = None

    def play(self, conversation: Iterable[Step], size: int = 0) -> None:
        """``size``: of the pieces in which it comes; 0: each step at once."""
        for step in conversation:
            self.to_device.append([])
            self.to_client.append([])
            for at in range(0, len(step.data), size or max(len(step.data), 1)):
                piece = step._replace(data=step.data[at : at + size] if size else step.data)
                try:
                    self._ask(piece) if step.from_client else self._tell(piece)
                except Undecodable:
                    self.ended = True
                    return

    def _ask(self, step: Step) -> None:
        requests = self.inspection.from_client(step.data)
        self.refused_last = self.refused_last and not requests
        self._give(False, self.inspection.owed(), ours=True)
        for request in requests:
            _bounded(request)
            for operation in request.operations:
                self._carried(operation, (), told=False)
            self.came.append(request.data)
            if not step.ours:
                self.asked.append(repr((request.operations, request.expects_answer)))
            if step.allowed:
                if not step.ours:
                    self.allowed.append(repr(request.operations))
                self._give(True, self.inspection.forward(request))
            else:
                self.session_refused |= request.operations[0].kind == Kind.SESSION
                refusal = self.inspection.refuse(request)
                self.refused_last = bool(refusal.to_client)
                self._give(False, refusal.to_client, ours=True)
                self._give(True, refusal.to_device, ours=True)

    def _tell(self, step: Step) -> None:
        for answer in self.inspection.from_device(step.data):
            _bounded(answer)
            for operation in answer.operations:
                self._carried(operation, (), told=True)
            for operation, read in zip(answer.to.operations if answer.to else (), answer.values, strict=False):
                self._carried(operation, read, told=False)
            self._give(False, answer.data)

    def _carried(self, operation: Operation, read: tuple[Value, ...], *, told: bool) -> None:
        found = self.step_of(operation, read, told) if self.step_of else None
        if found and (len(found.of) > 16 * MAX_TEXT or (found.size or 0) < 0 or (found.number or 0) < 0):
            raise Broken(f"no step of anything: {found.phase}")

    def _give(self, to_device: bool, data: bytes, *, ours: bool = False) -> None:
        if data:
            (self.to_device if to_device else self.to_client)[-1].append(Step(to_device, True, data, ours))

    def given(self, name: str) -> bytes:
        return b"".join(step.data for steps in getattr(self, name) for step in steps)


def _bounded(message: Request | Answer) -> None:
    if isinstance(message, Request) and not message.operations:
        raise Broken("a request without an operation")
    for operation in message.operations:
        if len(operation.values) > MAX_VALUES + 1:
            raise Broken(f"{len(operation.values)} values of one operation")
        if any(len(target.name) > 8 * MAX_TEXT for target in operation.targets):
            raise Broken("a name without an end")
    for left_out in message.withheld:
        if left_out.at < 0 or left_out.at + left_out.size > len(message.data):
            raise Broken("what is to be left out does not lie within its message")


def check(info: ProtocolInfo, octets: bytes) -> None:
    """Raise Broken, or whatever the decoder raises that it must not."""
    conversation = steps(info.name, octets)
    info.recognise(b"".join(step.data for step in conversation if step.from_client)[:64])
    whole = Played(info.begin(), step_of=info.step)
    whole.play(conversation)
    in_pieces = Played(info.begin())
    in_pieces.play(conversation, 1 + (octets[0] >> 1) % 7 if octets else 1)
    if whole.session_refused and info.name in OF_TWO_STATES:
        return
    _same(info, whole, in_pieces)
    _in_order(info, conversation, whole)
    _in_front_of_the_device(info, conversation, whole)
    _beside_the_client(info, conversation, whole)


def _same(info: ProtocolInfo, whole: Played, split: Played) -> None:
    """Of a piece that cannot be read to its end nothing passes; split, what came before the bad bytes does. Behind a
    refusal that ends the connection nothing is read any more, except what came together with what was refused.
    """
    if split.ended and split.refused_last and not whole.ended:
        whole, split = split, whole
    elif whole.ended != split.ended:
        raise Broken("split, it ends otherwise")
    if (split.asked[: len(whole.asked)] if whole.ended else split.asked) != whole.asked:
        raise Broken("split, other operations are read")
    for name in ("to_device", "to_client"):
        one, other = whole.given(name), split.given(name)
        if name == "to_client" and info.name in ACKNOWLEDGES:
            continue
        if (other[: len(one)] if whole.ended else other) != one:
            raise Broken(f"split, {name} differs")


def _in_order(info: ProtocolInfo, conversation: list[Step], played: Played) -> None:
    said = b"".join(step.data for step in conversation if step.from_client)
    if info.name not in ALTERNATES and not said.startswith(b"".join(played.came)):
        raise Broken("requests are not the bytes that came")


def _in_front_of_the_device(info: ProtocolInfo, conversation: list[Step], first: Played) -> None:
    """It is given what the first one lets through, and all that the device says."""
    second = Played(info.begin())
    second.play(_passed(conversation, first, first.to_device, from_client=True))
    if second.allowed != first.allowed[: len(second.allowed)]:
        raise Broken("what goes on is not what was allowed")
    if second.ended or len(second.allowed) < len(first.allowed):
        raise Broken("what goes on cannot be read")
    if second.given("to_device") != first.given("to_device"):
        raise Broken("what goes on is changed by a second decoder that refuses nothing")


def _beside_the_client(info: ProtocolInfo, conversation: list[Step], first: Played) -> None:
    third = Played(info.begin())
    third.play(_passed(conversation, first, first.to_client, from_client=False))
    if third.ended:
        raise Broken("what the client is told cannot be read")


def _passed(
    conversation: list[Step], first: Played, given: list[list[Step]], *, from_client: bool
) -> Iterator[Step]:  # fmt: skip
    """The conversation as one side of the gate hears it: of the other side what the gate gave."""
    for number, (step, passed) in enumerate(zip(conversation, given, strict=False), start=1):
        if step.from_client != from_client and not (first.ended and number == len(given)):
            yield step._replace(allowed=True)
        yield from passed
