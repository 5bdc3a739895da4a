# SPDX-License-Identifier: Apache-2.0
"""Everything here runs on both event loops: uvloop, and the stock one that every system has."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "stock": asyncio.new_event_loop}
