# SPDX-License-Identifier: Apache-2.0
"""A vendor's tool at its smallest: one Modbus connection, asked and watched by hand."""

import contextlib
import socket

SOON_S = 60.0  # a deadline on a busy machine; half of the machines' drain time, so that a drain is no cut
_READ = bytes.fromhex("0001 0000 0006 01 03 0064 0001")  # Modbus: read holding register 100 of unit 1


def tool_at(door: tuple[str, int]) -> socket.socket:
    """A connection over which the controller has answered; the caller closes it."""
    tool = socket.create_connection(door, timeout=SOON_S)
    ask(tool)
    return tool


def ask(tool: socket.socket) -> None:
    """The device answers, over this very connection."""
    tool.sendall(_READ)
    assert tool.recv(100)[7] == 3


def closed_within(tool: socket.socket, seconds: float) -> None:
    """Raise TimeoutError when it stays open."""
    tool.settimeout(seconds)
    with contextlib.suppress(ConnectionError):
        assert tool.recv(1) == b""
