# SPDX-License-Identifier: Apache-2.0
"""What methods are handed and give back that is not to be kept: contents of files, and passwords of users.

A file's Read and Write have node ids of their own in each file (Part 4 5.11.2 lets clients name either), so that no
list of them is complete: every byte string of a method is taken for content. Passwords are known by the node ids of
the standard's user management alone. Source: Part 4 5.11.2 (Call), Part 5 annex C.2.4 and C.2.5 (files), Part 18 5.2
(users: what AddUser, ModifyUser and ChangePassword take), Part 6 5.2.2.16 (variants).
"""

from collections.abc import Iterator

from portineria.protocols.opcua.binary import BadOpcUa, Reader
from portineria.protocols.opcua.placing import Place
from portineria.protocols.opcua.services import PASSWORDS, service_of

FILE, PASSWORD = "opcua.file", "opcua.password"
_STRING, _BYTES = 12, 15  # built-in types: Part 6 5.1.2
_ARRAY, _KIND = 0x80, 0x3F


def asked(body: bytes) -> list[Place]:
    """Of a request that was read already."""
    reader = Reader(body)
    service_of(reader)
    reader.node()
    reader.take(12)  # time stamp, handle
    reader.number("I")
    reader.text()
    reader.number("I")
    reader.extension()
    found = list[Place]()
    for _ in range(reader.few()):
        reader.node()
        first_secret = PASSWORDS.get(reader.node())
        for number in range(reader.few()):
            found += _argument(reader, secret=first_secret is not None and number >= first_secret)
    return found


def told(reader: Reader) -> list[Place]:
    """Of an answer, behind its header. What cannot be read is taken for content whole."""
    begins = reader.at
    try:
        return list(_results(reader))
    except BadOpcUa:
        return [Place(FILE, begins, len(reader.data) - begins, content=True)]


def _results(reader: Reader) -> Iterator[Place]:
    for _ in range(reader.few()):
        reader.number("I")
        reader.take(4 * reader.count())  # what was wrong with each argument
        for _ in range(reader.count()):
            reader.diagnostic()
        for _ in range(reader.few()):
            yield from _argument(reader, secret=False)


def _argument(reader: Reader, *, secret: bool) -> Iterator[Place]:
    """One variant. Lengths stay: what is kept can still be read."""
    again = Reader(reader.data, reader.at)
    reader.variant()
    mask = again.number("B")
    content = mask & _KIND == _BYTES
    if not content and not (secret and mask & _KIND == _STRING):
        return
    for _ in range(again.count() if mask & _ARRAY else 1):
        size = len(again.octets())
        if size:
            yield Place(FILE if content else PASSWORD, again.at - size, size, content)
