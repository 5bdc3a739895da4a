# SPDX-License-Identifier: Apache-2.0
"""IEC 60870-5-104, both directions: telecontrol over TCP, as substations, water and district heating speak it.

Cited as "104" is IEC 60870-5-104 (2006), as "101" is IEC 60870-5-101 (2003), from which it takes its ASDUs; both are
sold, and the numbers of their clauses were not held against the text. Its frames are numbered on both sides: once one
was refused they are renumbered, and so are all acknowledgements (decision 0034).
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
