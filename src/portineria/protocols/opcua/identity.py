# SPDX-License-Identifier: Apache-2.0
"""Where in an ActivateSession the password or token stands that the user proves himself with, when it is in clear.

Source: Part 4 5.6.3 (the service), 7.36.4 and 7.36.6 (the tokens; an empty algorithm: not encrypted); Part 6 annex A
(the node ids of their binary encodings).
"""

from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.opcua.placing import Place
from portineria.protocols.opcua.services import service_of

ACTIVATE = 467
_BODY_IN_BYTES = 1  # Part 6 5.2.2.15
_TOKENS = {"i=324": ("opcua.password", 2), "i=940": ("opcua.token", 1)}  # texts before it: policy, name of the user


def secret(body: bytes) -> list[Place]:
    """One, or none. What cannot be read is taken for a secret whole: it is not for us to refuse it."""
    reader = Reader(body)
    service_of(reader)
    reader.node()
    begins = reader.at
    try:
        return _secret(reader)
    except BadOpcUa:
        return [Place("opcua.identity", begins, len(body) - begins)]


def _secret(reader: Reader) -> list[Place]:
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
        return []
    reader.number("i")
    rule, texts = _TOKENS[kind]
    for _ in range(texts):
        reader.octets()
    size = len(reader.octets())
    ends = reader.at
    return [] if reader.octets() or not size else [Place(rule, ends - size, size)]


def _signature(reader: Reader) -> None:
    reader.octets()
    reader.octets()
