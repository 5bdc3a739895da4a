# SPDX-License-Identifier: Apache-2.0
"""IEC 60870-5-104, both directions: telecontrol over TCP, as substations, water and district heating speak it.

Cited as "104" is IEC 60870-5-104 (2006), as "101" is IEC 60870-5-101 (2003), from which it takes its ASDUs. Its frames
are numbered on both sides: once one was refused they are renumbered, and so are all acknowledgements (decision 0034).

Both standards are sold, and their text was not at hand. Held against others who have it were: numbers and names of all
types that are decoded, by Wireshark's tables (17 to 19, 104 and 106 by go-iecp5), and the captures below by its
reading; the sizes of all objects but those of types 125 and 127, and the clauses of 49 types, by go-iecp5 and part5,
which cite them; behaviour, by a station and a client of lib60870. Nobody's word confirms the clauses of types 9 to 12,
20, 21, 34, 125 and 126, those of the elements of files (101, 7.2.6.28 to 38: sources contradict each other), and any
clause of 104. Types 41 and 81 to 95 (security) are not decoded: unknown.
"""

from portineria.protocols.iec104.apci import recognise
from portineria.protocols.iec104.functions import listed
from portineria.protocols.iec104.session import Iec104Inspection
from portineria.protocols.iec104.transfer import step
from portineria.protocols.inspection import ProtocolInfo

INFO = ProtocolInfo(
    name="iec104",
    title="IEC 60870-5-104",
    ports=(2404,),  # 104, 7.1
    begin=Iec104Inspection,
    recognise=recognise,
    functions=listed(),
    patience_s=15.0,  # t1: 104, 9.6
    withholds=True,
    step=step,
)
