# SPDX-License-Identifier: Apache-2.0
"""The technician's tool of the demo, ``ADDRESS PORT [VALUE]``: a Modbus client that knows nothing of Portineria."""

import sys

from pymodbus.client import ModbusTcpClient

SETPOINT = 104  # temperature in tenths of a degree; the controller refuses what is out of 200..1800


def main(address: str, port: str, value: str = "1500") -> int:
    with ModbusTcpClient(address, port=int(port), timeout=10) as client:
        before = client.read_holding_registers(100, count=5, device_id=1).registers
        client.write_register(SETPOINT, int(value), device_id=1)
        after = client.read_holding_registers(SETPOINT, count=1, device_id=1).registers[0]
        refused = client.write_register(SETPOINT, 9999, device_id=1).exception_code
    sys.stdout.write(
        f"read 100-104: {before}; wrote {SETPOINT} = {value}, reads back {after}; 9999 is refused: {refused}\n"
    )
    return 0 if after == int(value) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
