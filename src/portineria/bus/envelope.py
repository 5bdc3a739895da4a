# SPDX-License-Identifier: Apache-2.0
"""What goes round a relay's message on NATS, where nothing tells one connection's messages from another's.

Each greeting begins a new talk. Everything after it carries the talk's mark and the next number, so that the control
plane sees what was lost, and what an earlier connection still says. Without a message it is a beat: I am here.
"""

import struct
from dataclasses import dataclass

from portineria.core.errors import ProtocolError

_HEAD = struct.Struct(">8sQQ")
BOOT_BYTES = 8  # of a relay process, random


class BadEnvelope(ProtocolError):
    code = "bus.envelope"


@dataclass(frozen=True, slots=True)
class Envelope:
    boot: bytes
    talk: int  # counts the greetings of this process
    number: int  # 0 is the greeting; a beat has that of the next message
    payload: bytes = b""

    def encode(self) -> bytes:
        return _HEAD.pack(self.boot, self.talk, self.number) + self.payload


def decode(data: bytes) -> Envelope:
    if len(data) < _HEAD.size:
        raise BadEnvelope(f"an envelope of {len(data)} bytes")
    boot, talk, number = _HEAD.unpack_from(data)
    return Envelope(boot, talk, number, data[_HEAD.size :])
