# SPDX-License-Identifier: Apache-2.0
"""Every protocol that is decoded, one line each. It knows the packages; they know neither it nor each other."""

from portineria.protocols import cip, dnp3, iec104, modbus, opcua, s7comm
from portineria.protocols.inspection import ProtocolInfo

ALL: tuple[ProtocolInfo, ...] = (
    modbus.INFO,
    s7comm.INFO,
    cip.INFO,
    iec104.INFO,
    dnp3.INFO,
    opcua.INFO,
)  # fmt: skip
