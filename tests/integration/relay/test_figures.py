# SPDX-License-Identifier: Apache-2.0
"""What relay and gateway tell Prometheus and probes while a session runs between them."""

import asyncio
from pathlib import Path

import pytest

from portineria.core.ids import Kind, new_id
from portineria.process.metrics import Telling, listen, of_loop
from portineria.wire.statement import Asset
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually, free_port
from tests.integration.relay.bare import running
from tests.integration.scrape import ask, scrape

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = b"what the technician says" * 1000


async def test_a_relay_and_a_gateway_tell_how_busy_they_are_and_not_with_whom(
    device: Device, floor: Floor, tmp_path: Path
) -> None:
    of_relay, of_gateway = free_port(), free_port()
    async with running(tmp_path / "authority", metrics=f"127.0.0.1:{of_relay}") as authority:
        process = GatewayProcess(
            authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"], metrics=f"127.0.0.1:{of_gateway}"
        )
        authority.admit(process.gateway)
        await process.start()
        await authority.linked(process.gateway)
        end = End(authority, process.gateway, tmp_path)
        end.permit([Asset(new_id(Kind.SERVICE), device.address, device.port)])
        stream = await end.open()
        await stream.say(TEXT)
        await stream.heard(len(TEXT))

        relay, gateway = await asyncio.to_thread(scrape, of_relay), await asyncio.to_thread(scrape, of_gateway)
        assert relay["portineria_relay_links", ()] == relay["portineria_relay_pairs", ()] == 1
        for way in ("to-gateway", "to-connector"):
            assert len(TEXT) < relay["portineria_relay_carried_bytes_total", (way,)] < 2 * len(TEXT)
        assert relay["portineria_log_records_total", ("link.opened", "info")] == 1
        assert gateway["portineria_gateway_sessions", ("open",)] == 1
        # What is being opened counts as well, and that may take a moment longer than its first bytes.
        await eventually(lambda: scrape(of_gateway)["portineria_gateway_streams", ()] == 1, "one connection")
        assert gateway["portineria_gateway_admitted", ()] == gateway["portineria_gateway_time_known", ()] == 1
        for port in (of_relay, of_gateway):
            assert await asyncio.to_thread(ask, port, "/readyz") == (200, "ok\n")
            assert await asyncio.to_thread(ask, port, "/livez") == (200, "ok\n")
            assert (await asyncio.to_thread(ask, port, "/metrics", "POST"))[0] == 405
            assert (await asyncio.to_thread(ask, port, "/"))[0] == 404

        await authority.bus.close()  # the control plane is gone: the relay lives, and is not ready
        await eventually(lambda: ask(of_relay, "/readyz") == (503, "bus\n"), "the relay says what it lacks")
        assert ask(of_relay, "/livez") == (200, "ok\n")
        assert scrape(of_relay)["portineria_ready", ()] == 0
        await process.end()
        stream.hang_up()


async def test_a_loop_that_does_not_turn_is_said_to_be_dead() -> None:
    told = Telling("test", lambda: of_loop(told.loop, list), list)
    listener = listen("127.0.0.1:0", told)
    assert listener is not None
    try:
        assert await asyncio.to_thread(ask, listener.port, "/livez") == (200, "ok\n")
        for path in ("/livez", "/metrics"):
            assert ask(listener.port, path) == (503, "loop\n")  # asked in the loop's own thread, which waits for it
    finally:
        listener.close()
    with pytest.raises(ConnectionRefusedError):
        ask(listener.port, "/livez")
