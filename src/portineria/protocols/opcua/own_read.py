# SPDX-License-Identifier: Apache-2.0
"""Reading what a client's write is about to change, on its own session. Part 4 5.10.2 and 7.28, Part 6 6.7.2.

The request has the header of the write (whose session it is in), a request id and handle that the write does not have,
and the sequence number that comes next towards the server.
"""

from struct import pack

from portineria.protocols.inspection import Request
from portineria.protocols.opcua.binary import Reader
from portineria.protocols.opcua.services import NAME, READ, service_of
from portineria.protocols.operation import Kind, Operation

_TURNED = 0x80000000  # the first bit of a number of 32
_BOTH, _NO_ENCODING = 3, pack("<Hi", 0, -1)  # "neither time stamp"; a null name


def number_of(number: int) -> int:
    """Of our request, given that of the write."""
    return number ^ _TURNED


def read_of(write: Request, body: bytes, head: bytes) -> Request:
    """``body``: of the write, without what is around it; ``head``: secure channel, token, sequence number, request
    id of ours.
    """
    reader = Reader(body)
    service_of(reader)
    begins = reader.at
    reader.node()
    reader.take(8)
    handle, session = reader.number("I"), body[begins : reader.at - 4]
    behind = reader.at
    reader.take(4), reader.text(), reader.take(4), reader.extension()
    header = session + pack("<I", handle ^ _TURNED) + body[behind : reader.at]
    reader.take(4)  # how many nodes are written: one
    begins = reader.at
    reader.node(), reader.take(4), reader.text()
    asked = pack("<BBH", 1, 0, READ) + header + pack("<dii", 0.0, _BOTH, 1) + body[begins : reader.at] + _NO_ENCODING
    message = pack("<4sI", b"MSGF", 8 + len(head) + len(asked)) + head + asked
    [written] = write.operations
    return Request((Operation(NAME, "read", str(READ), Kind.READ, written.targets),), message)
