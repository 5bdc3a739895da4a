# SPDX-License-Identifier: Apache-2.0
"""OPC UA, binary encoding over TCP, both directions, without security; a secured channel is recognised and not read.

Cited are the parts of OPC 10000, release 1.04. An opening of a secured channel is refused with ERR
Bad_SecurityPolicyRejected, a service with a ServiceFault Bad_UserAccessDenied.
"""

from portineria.protocols.inspection import ProtocolInfo
from portineria.protocols.opcua.services import listed
from portineria.protocols.opcua.session import OpcUaInspection, recognise
from portineria.protocols.opcua.transfer import step

INFO = ProtocolInfo(
    name="opcua",
    title="OPC UA",
    ports=(4840,),  # Part 6 7.2
    begin=OpcUaInspection,
    recognise=recognise,
    functions=listed(),
    patience_s=4.0,
    withholds=True,
    step=step,
)
