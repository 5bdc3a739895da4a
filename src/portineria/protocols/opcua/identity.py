# SPDX-License-Identifier: Apache-2.0
"""Where in an ActivateSession the password or token stands that the user proves himself with, when it is in clear.

Source: Part 4 5.6.3 (the service), 7.36.4 and 7.36.6 (the tokens; an empty algorithm: not encrypted); Part 6 annex A
(the node ids of their binary encodings).
"""

from portineria.protocols.inspection import Withheld
from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.opcua.services import service_of

ACTIVATE = 467
_BODY_IN_BYTES = 1  # Part 6 5.2.2.15
_HEAD = 24  # of each chunk: Part 6 6.7.2
_TOKENS = {"i=324": ("opcua.password", 2), "i=940": ("opcua.token", 1)}  # texts before it: policy, name of the user


def secret(body: bytes) -> tuple[str, int, int] | None:
    """Rule, place and size. What cannot be read is taken for a secret whole: it is not for us to refuse it."""
    reader = Reader(body)
    service_of(reader)
    reader.node()
    begins = reader.at
    try:
        return _secret(reader)
    except BadOpcUa:
        return "opcua.identity", begins, len(body) - begins


def _secret(reader: Reader) -> tuple[str, int, int] | None:
    reader.take(12)  # time stamp, handle
    reader.number("I")
    reader.text()
    reader.number("I")
    reader.extension()
    _signature(reader)
    for _ in range(reader.count()):
        _signature(reader)  # a certificate and its signature: two byte strings as well
    for _ in range(reader.count()):
        reader.text()
    kind, form = reader.node(), reader.number("B")
    if kind not in _TOKENS or form != _BODY_IN_BYTES:
        return None
    reader.number("i")
    rule, texts = _TOKENS[kind]
    for _ in range(texts):
        reader.octets()
    size = len(reader.octets())
    ends = reader.at
    return None if reader.octets() or not size else (rule, ends - size, size)


def _signature(reader: Reader) -> None:
    reader.octets()
    reader.octets()


def placed(found: tuple[str, int, int] | None, chunks: list[bytes]) -> tuple[Withheld, ...]:
    """In the chunks that carried the body, one after the other."""
    if found is None:
        return ()
    rule, at, size = found
    left_out, before, carried_before = list[Withheld](), 0, 0
    for chunk in chunks:
        carried = len(chunk) - _HEAD
        first, end = max(at - carried_before, 0), min(at + size - carried_before, carried)
        if first < end:
            left_out.append(Withheld(rule, before + _HEAD + first, end - first))
        before, carried_before = before + len(chunk), carried_before + carried
    return tuple(left_out)
