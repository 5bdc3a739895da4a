# SPDX-License-Identifier: Apache-2.0
"""Unit tests reach nothing outside their process: whoever needs a socket writes an integration test."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

_REFUSED = {"socket.connect", "socket.bind", "socket.getaddrinfo"}
_unit = False


class OpensSocket(AssertionError):
    pass


def _watch(event: str, given: tuple[Any, ...]) -> None:
    if _unit and event in _REFUSED and not _sends_nothing(event, given):
        raise OpensSocket(f"{event} {given[1:]} in a unit test")


def _sends_nothing(event: str, given: tuple[Any, ...]) -> bool:
    """Connecting a UDP socket only asks the kernel which way it would go."""
    return event == "socket.connect" and given[0].type == socket.SOCK_DGRAM


sys.addaudithook(_watch)  # cannot be taken away again, hence the flag


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    global _unit
    _unit = True
    yield
    _unit = False
