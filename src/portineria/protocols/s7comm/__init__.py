# SPDX-License-Identifier: Apache-2.0
"""S7 communication (Siemens S7-200 … S7-1500, LOGO!) over ISO transport on TCP, both directions.

S7comm-plus is recognised and not read. Siemens has published neither; what stands here is how S7 communication is known
since libnodave and from Wireshark's dissector. What leads behind a station, and what is refused how: decision 0033.
"""

from portineria.protocols.inspection import ProtocolInfo
from portineria.protocols.s7comm.functions import listed
from portineria.protocols.s7comm.session import S7Inspection
from portineria.protocols.s7comm.transfer import step
from portineria.protocols.s7comm.transport import begins_as_s7

INFO = ProtocolInfo(
    name="s7comm",
    title="S7 communication",
    ports=(102,),  # RFC 1006, 4
    begin=S7Inspection,
    recognise=begins_as_s7,
    functions=listed(),
    withholds=True,
    step=step,
)
