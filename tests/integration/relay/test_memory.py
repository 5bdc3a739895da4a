# SPDX-License-Identifier: Apache-2.0
"""A search of a relay's whole writable memory: nothing that was said through it may be found there, at any time."""

import asyncio
import contextlib
import secrets
import socket
import ssl
from pathlib import Path

import pytest

from portineria.core.ids import Kind, new_id
from portineria.wire.statement import Asset
from tests.integration.authority import Authority
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway_process import GatewayProcess
from tests.integration.relay.bare import running
from tests.integration.relay.meter import in_memory
from tests.integration.relay.test_public_port import Console, connect

pytestmark = pytest.mark.asyncio(loop_scope="module")


def marker(what: str) -> bytes:
    return f"{what}-{secrets.token_hex(16)}".encode()


def search(authority: Authority, *markers: bytes) -> set[bytes]:
    authority.relay.process.freeze()
    try:
        return in_memory(authority.relay.process.pid, *markers)
    finally:
        authority.relay.process.thaw()


async def test_no_order_event_or_byte_of_a_session_is_ever_in_the_relay_s_memory(tmp_path: Path, floor: Floor) -> None:
    async with running(tmp_path) as authority:
        gateway = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"])
        authority.admit(gateway.gateway)
        await gateway.start()
        await authority.linked(gateway.gateway)
        device = Device(floor, number=12, port=1502)
        from_device, to_device = marker("from-device"), marker("to-device")
        device.answer = lambda _: from_device * 200
        profile, reason, service = marker("profile")[:60], marker("withdrawn"), new_id(Kind.SERVICE)
        secret = [from_device, to_device, profile, reason, service.encode(), device.address.encode()]
        ends = [End(authority, gateway.gateway, tmp_path) for _ in range(2)]
        streams = []
        for end, nested in zip(ends, (True, False), strict=True):
            end.permit([Asset(service, device.address, device.port)], profile=profile.decode())
            for _ in range(5):
                stream = await end.open(nested=nested)
                await stream.say(to_device * 200)
                await stream.heard(len(from_device) * 200)
                await authority.event(gateway.gateway, "stream.opened", end.session, stream=stream.name)
                streams.append(stream)

        sessions = [end.session.encode() for end in ends]
        names = [stream.name.encode() for stream in streams]
        found = search(authority, *secret, *names, *sessions)  # in the middle of it
        assert found == set(sessions)  # the tickets name them: so the search finds what is there

        for stream in streams[::2]:
            stream.hang_up()
        for end in ends:
            authority.withdraw(end.session, "cut", reason=reason.decode())
            await authority.event(gateway.gateway, "session.ended", end.session)
        found = search(authority, *secret, *names, gateway.gateway.encode())  # and when it is over
        assert found == {gateway.gateway.encode()}
        device.close()
        await gateway.end()


@pytest.mark.parametrize("tls", [True, False], ids=["https", "plain http"])
async def test_no_password_typed_into_the_console_is_ever_in_the_relay_s_memory(tmp_path: Path, tls: bool) -> None:
    console = Console(tmp_path / "console.sock")
    async with running(tmp_path, console=tmp_path / "console.sock") as authority:
        password, page, name = marker("password"), marker("page"), marker("server-name")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(authority.relay.certificate, authority.relay.key)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

        def browse() -> bytes:
            with contextlib.ExitStack() as stack:
                sock: socket.socket = stack.enter_context(connect(authority))
                if tls:
                    sock = stack.enter_context(client.wrap_socket(sock, server_hostname=name.decode()))
                sock.sendall(b"POST /login HTTP/1.1\r\n\r\npassword=" + password)
                return sock.recv(4096)

        def serve(sock: socket.socket) -> None:
            with sock:
                sock.settimeout(30)
                if tls:
                    sock = server.wrap_socket(sock, server_side=True)
                assert password in sock.recv(4096)
                sock.sendall(page)
                sock.close()

        for _ in range(5):
            browsing = asyncio.ensure_future(asyncio.to_thread(browse))
            await asyncio.to_thread(serve, await console.next())
            assert await browsing == page
        found = search(authority, password, page, b"POST /login", name)
        # The name in the ClientHello is what the door reads: it proves that the search would have found the rest.
        assert found <= {name}
        assert not tls or found == {name}
        assert search(authority, authority.relay.address.relay.encode())
    console.close()
