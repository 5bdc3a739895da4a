# SPDX-License-Identifier: Apache-2.0
"""EtherNet/IP with CIP over TCP, as Rockwell controllers and many drives, robots and modules of other makers speak it.

``frames`` the encapsulation, ``path`` where a request goes, ``services`` what it means there, ``message`` the request
with all that it carries, ``connection`` Forward Open, ``answer`` what comes back, ``session`` the whole. Inputs and
outputs travel over UDP, which is not carried; opening such a connection is the operation ``forward-open-io``.

Objects of makers (classes 0x64 to 0xC7 and 0x0300 to 0x04FF: Volume 1, table 4-7.1) understand the common services as
any other does: reading an attribute is a read, setting one a program-write. What services of their own do (0x32 to
0x63) is known of those alone that a row below gives, with its source: every other one is an unknown function, shown
with number and class (`service-4c` on "class 0x72"), and no profile admits it but one that says `unknown`. Named are
the classes of Rockwell Automation that its publications name: 0x64 program name, 0x67 pccc, 0x68 program, 0x69 map,
0x6B symbol, 0x6C template, 0x6D routine, 0x70 task, 0x7E module connection, 0x8B wall clock, 0xAC program changes.
Without a public word on them are 0x6A (uploads of programs), 0x72, 0x73 and 0xB2 (panels), 0x8D and 0x8E (which starts
and stops).

The server that the tests drive is a small controller of our own, written from the specification and apart from this
package: a maintained one under a licence that we may depend on does not exist.

SLC, MicroLogix and PLC-5 processors are asked by PCCC inside one service: each of its commands is a function of its
own, and a write into the processor's own files is no write of values but `pccc-system-file-write`.
"""

from portineria.protocols.cip.frames import HEADER, Command
from portineria.protocols.cip.functions import known
from portineria.protocols.cip.session import CipInspection
from portineria.protocols.cip.transfer import step
from portineria.protocols.inspection import ProtocolInfo

_FIRST: dict[int, int] = {
    Command.REGISTER_SESSION: 4,
    Command.LIST_SERVICES: 0,
    Command.LIST_IDENTITY: 0,
    Command.LIST_INTERFACES: 0,
}


def recognise(first: bytes) -> bool:
    """CIP Volume 2, 2-4: before a session is registered only these four make sense, with session handle 0.

    A NOP may come as well, but begins with bytes that anybody might send.
    """
    head = first[: HEADER.size]
    command, length = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    return len(head) >= 8 and _FIRST.get(command) == length and not any(head[4:12]) and not any(head[20:24])


INFO = ProtocolInfo(
    name="cip",
    title="EtherNet/IP with CIP",
    ports=(44818,),
    begin=CipInspection,
    recognise=recognise,
    functions=known(),
    patience_s=5.0,
    withholds=True,
    step=step,
)
