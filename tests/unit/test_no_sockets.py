# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import socket

import pytest

from tests.unit.conftest import OpensSocket


@pytest.mark.parametrize("act", ["connect", "bind"])
def test_a_unit_test_opens_no_socket(act: str) -> None:
    with socket.socket() as sock, pytest.raises(OpensSocket):
        getattr(sock, act)(("127.0.0.1", 9))


async def test_an_event_loop_is_no_socket_of_ours() -> None:
    await asyncio.sleep(0)
