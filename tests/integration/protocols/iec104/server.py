# SPDX-License-Identifier: Apache-2.0
"""A stock c104 station as a process of its own. Says its port; answers each line of stdin with what reached it."""

# Annotations stay values here: c104 compares them with the signature that it wants.
import datetime
import json
import socket
import sys

import c104

STATION, FLOAT, COMMANDS = 47, 11, 100
TYPES = (
    c104.Type.C_SC_NA_1,
    c104.Type.C_DC_NA_1,
    c104.Type.C_RC_NA_1,
    c104.Type.C_SE_NA_1,
    c104.Type.C_SE_NB_1,
    c104.Type.C_SE_NC_1,
    c104.Type.C_BO_NA_1,
    c104.Type.C_SC_TA_1,
    c104.Type.C_DC_TA_1,
    c104.Type.C_RC_TA_1,
    c104.Type.C_SE_TA_1,
    c104.Type.C_SE_TB_1,
    c104.Type.C_SE_TC_1,
    c104.Type.C_BO_TA_1,
)
reached: dict[str, int] = {}  # type identification -> how many I frames of it
acts: list[str] = []


def commanded(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    acts.append(f"command {point.io_address}")
    return c104.ResponseState.SUCCESS


def clock_set(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:
    acts.append("clock")
    return c104.ResponseState.SUCCESS


def came(server: c104.Server, data: bytes) -> None:
    if len(data) > 6 and not data[2] & 1:
        reached[str(data[6])] = reached.get(str(data[6]), 0) + 1


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = c104.Server(ip="127.0.0.1", port=port)
    server.on_clock_sync(callable=clock_set)
    server.on_receive_raw(callable=came)
    station = server.add_station(common_address=STATION)
    assert station
    measured = station.add_point(io_address=FLOAT, type=c104.Type.M_ME_NC_1)
    assert measured
    measured.value = 12.5
    for place, kind in enumerate(TYPES):
        point = station.add_point(io_address=COMMANDS + place, type=kind)
        assert point
        point.on_receive(callable=commanded)
    server.start()
    print(port, flush=True)
    for _ in sys.stdin:
        print(json.dumps({"acts": acts, "reached": reached}), flush=True)
    server.stop()


if __name__ == "__main__":
    main()
