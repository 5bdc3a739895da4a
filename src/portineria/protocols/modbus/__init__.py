# SPDX-License-Identifier: Apache-2.0
"""MODBUS/TCP, both directions, with device identification (MEI) and Modicon UMAS inside it.

Cited as "AP" is MODBUS Application Protocol Specification V1.1b3 (2012), as "MG" MODBUS Messaging on TCP/IP
Implementation Guide V1.0b (2006). UMAS has no public specification; its sub-functions are those of public write-ups.
"""

from portineria.protocols.inspection import ProtocolInfo
from portineria.protocols.modbus.function import listed
from portineria.protocols.modbus.inspection import ModbusInspection, recognise
from portineria.protocols.modbus.transfer import step

INFO = ProtocolInfo(
    name="modbus",
    title="Modbus/TCP",
    ports=(502,),  # MG 4.2
    begin=ModbusInspection,
    recognise=recognise,
    functions=listed(),
    own=(("unit 0",), ("unit 255",)),  # MG 4.4.2.3; any other may be a device behind it
    withholds=True,
    step=step,
)
