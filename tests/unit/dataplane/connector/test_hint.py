# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.dataplane.connector.hint import hint


@pytest.mark.parametrize(
    ("protocol", "port", "typed"),
    [
        ("modbus", 502, "Modbus/TCP address 127.64.0.1, port 502"),
        ("s7", 102, "S7 address 127.64.0.1 (TIA Portal, snap7: rack 0)"),
        ("s7", 10102, "S7 address 127.64.0.1, port 10102 (snap7: tcp_port=10102)"),
        ("opcua", 4840, "opc.tcp://127.64.0.1:4840"),
        ("ssh", 22, "ssh operator@127.64.0.1"),
        ("ssh", 10022, "ssh -p 10022 operator@127.64.0.1"),
        ("http", 80, "open http://127.64.0.1/"),
        ("https", 10443, "open https://127.64.0.1:10443/"),
        ("pcworx", 1962, "address 127.64.0.1, port 1962"),
    ],
)
def test_the_line_is_what_one_types(protocol: str, port: int, typed: str) -> None:
    assert hint(protocol, "127.64.0.1", port) == typed
