# SPDX-License-Identifier: Apache-2.0
"""A stock c104 client as a process of its own: `client.py PORT OPERATIONS EVERY`. Prints what its calls returned.

It reads a value OPERATIONS times; before each EVERY-th it gives a command and a setpoint.
"""

# Annotations stay values here: c104 compares them with the signature that it wants.
import json
import sys
import time

import c104

STATION, FLOAT = 47, 11
TIMEOUT_MS = 2_000  # of a call: one whose answer c104 missed is a failed one, not the end


def main(port: int, operations: int, every: int) -> None:
    client = c104.Client(command_timeout_ms=TIMEOUT_MS)
    connection = client.add_connection(ip="127.0.0.1", port=port, init=c104.Init.NONE)
    assert connection
    station = connection.add_station(common_address=STATION)
    assert station
    measured = station.add_point(io_address=FLOAT, type=c104.Type.M_ME_NC_1)
    single = station.add_point(io_address=100, type=c104.Type.C_SC_NA_1)
    setpoint = station.add_point(io_address=105, type=c104.Type.C_SE_NC_1)
    assert measured
    assert single
    assert setpoint
    told: list[str] = []

    def came(connection: c104.Connection, data: bytes) -> None:
        if len(data) > 6 and data[6] in (45, 50) and not data[2] & 1:
            told.append(data[6:9].hex())

    connection.on_receive_raw(callable=came)
    states: list[str] = []

    def changed(connection: c104.Connection, state: c104.ConnectionState) -> None:
        states.append(state.name)

    connection.on_state_change(callable=changed)
    client.start()
    deadline = time.monotonic() + 20
    while not connection.is_connected:
        assert time.monotonic() < deadline, connection.state
        time.sleep(0.02)
    assert connection.unmute()
    single.value, setpoint.value = True, 4.5
    commands, reads = [], 0
    for number in range(operations):
        if number % every == 0:
            commands += [point.transmit(cause=c104.Cot.ACTIVATION) for point in (single, setpoint)]
        reads += measured.read()
    brought = any(connection.interrogation(common_address=STATION) for _ in range(3))
    found = {"commands": commands, "reads": reads, "value": measured.value, "interrogation": brought}
    print(json.dumps({**found, "told": told, "states": states}), flush=True)
    client.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
