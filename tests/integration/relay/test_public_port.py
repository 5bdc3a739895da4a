# SPDX-License-Identifier: Apache-2.0
"""The one public port of a running relay: consoles are handed over, strangers hold up nobody."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from portineria.dataplane.aio.leg import reach
from portineria.wire.leg import LEG_ALPN
from tests.integration.authority import Authority
from tests.integration.process import eventually
from tests.integration.relay.bare import BareConnector, BareGateway, running, way
from tests.integration.relay.meter import descriptors, figures, settled
from tests.integration.relay.test_door import client_hello

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETUP_S = 4.0
PER_ADDRESS, IN_ALL = 20, 30


class Console:
    """Takes over what the relay hands on, as the web process does."""

    def __init__(self, path: Path) -> None:
        self.taken: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._listener.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listener, self._take)

    def _take(self) -> None:
        way_in, _ = self._listener.accept()
        with way_in:
            way_in.settimeout(30)
            _, numbers, _, _ = socket.recv_fds(way_in, 1, 1)
        self.taken.append(socket.socket(fileno=numbers[0]))

    async def next(self) -> socket.socket:
        await eventually(lambda: self.taken, "a connection for the console")
        return self.taken.pop(0)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        for sock in self.taken:
            sock.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    opened = Console(tmp_path_factory.mktemp("console") / "console.sock")
    yield opened
    opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(console: Console, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Authority]:
    path = Path(console._listener.getsockname())
    settings = {"console": path, "setup_s": SETUP_S, "setups_per_address": PER_ADDRESS, "setups": IN_ALL}
    async with running(tmp_path_factory.mktemp("house"), **settings) as authority:
        yield authority


def connect(house: Authority, *, source: str = "127.0.0.1") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", house.relay.address.port), source_address=(source, 0), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def is_open(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return bool(sock.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


async def test_a_browser_s_tls_is_handed_over_unread_with_its_own_address(house: Authority, console: Console) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(house.relay.certificate, house.relay.key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_alpn_protocols(["h2", "http/1.1"])
    near = connect(house, source="127.0.0.77")
    address = near.getsockname()
    assert address[0] == "127.0.0.77"

    def talk() -> bytes:
        with server.wrap_socket(far, server_side=True) as tls:
            heard = tls.recv(100)
            tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            return heard

    def browse() -> bytes:
        with client.wrap_socket(near) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return tls.recv(100)

    browsing = asyncio.ensure_future(asyncio.to_thread(browse))
    far = await console.next()
    far.settimeout(30)
    assert far.getpeername() == address
    heard, answer = await asyncio.gather(asyncio.to_thread(talk), browsing)
    assert (heard, answer) == (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")


async def test_plain_http_is_handed_over_with_every_byte(house: Authority, console: Console) -> None:
    with connect(house) as near:
        near.sendall(b"GET / HTTP/1.1\r\nHost: plant\r\n\r\n")
        with await console.next() as far:
            assert far.getpeername() == near.getsockname()
            far.settimeout(30)
            assert far.recv(100) == b"GET / HTTP/1.1\r\nHost: plant\r\n\r\n"
    await settled(house.relay.process, setups=0)


async def test_the_relay_keeps_no_descriptor_of_what_it_handed_over(house: Authority, console: Console) -> None:
    before = descriptors(house.relay.process.pid)
    kept = []
    for _ in range(20):
        near = connect(house)
        near.sendall(b"GET / HTTP/1.1\r\n\r\n")
        kept += [near, await console.next()]
    await eventually(lambda: descriptors(house.relay.process.pid) <= before)
    for sock in kept:
        sock.close()


@pytest.mark.parametrize(
    "bad",
    [
        b"\x16\x03\x01\xff\xff" + bytes(64),
        b"\x16\x03\x01\x00\x30\x02" + bytes(47),
        b"\x16" * 4000,
        client_hello(["portineria-leg/1"])[:5] + bytes(600),
    ],
    ids=["too long", "no hello", "all the same", "zeros"],
)
async def test_a_handshake_that_cannot_be_is_hung_up_on(house: Authority, bad: bytes) -> None:
    with connect(house) as near:
        near.sendall(bad)
        await eventually(lambda: not is_open(near), "the relay hangs up", within_s=SETUP_S * 0.8)
    assert house.relay.process.running


async def test_garbage_behind_a_good_hello_is_hung_up_on(house: Authority) -> None:
    for alpn in ("portineria-leg/1", "portineria-link/1"):
        with connect(house) as near:
            near.sendall(client_hello([alpn]))
            await asyncio.sleep(0.1)
            near.sendall(bytes(range(256)) * 20)

            def gone(sock: socket.socket = near) -> bool:
                sock.setblocking(False)
                try:
                    while data := sock.recv(4096):
                        assert data
                except BlockingIOError:
                    return False
                except OSError:
                    return True
                return True

            await eventually(gone, "the relay hangs up")
    await settled(house.relay.process, setups=0)


async def test_a_hello_that_never_ends_ends_by_the_clock(house: Authority) -> None:
    with connect(house) as near:
        loop = asyncio.get_running_loop()
        began = loop.time()
        near.sendall(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc")  # 16 KiB are announced
        while is_open(near):
            assert loop.time() - began < SETUP_S + 30
            with contextlib.suppress(OSError):
                near.sendall(b"\x00")
            await asyncio.sleep(0.05)
        assert loop.time() - began > SETUP_S / 2
    await settled(house.relay.process, setups=0)


async def test_a_slow_loris_holds_its_own_places_only(house: Authority) -> None:
    gateway = BareGateway(house)
    house.admit(gateway.id)
    slow = [connect(house) for _ in range(PER_ADDRESS + 15)]  # say nothing
    await eventually(lambda: sum(map(is_open, slow)) == PER_ADDRESS, "as many as one address may hold")
    assert (await figures(house.relay.process))["setups"] == PER_ADDRESS
    with connect(house, source="127.0.0.2") as browser:  # another address comes in at once
        assert is_open(browser)
        browser.sendall(client_hello(["http/1.1"]))
        await settled(house.relay.process, setups=PER_ADDRESS)
    more = [connect(house, source=f"127.0.0.{3 + number % 5}") for number in range(40)]
    await eventually(lambda: sum(map(is_open, slow + more)) == IN_ALL, "as many as the relay holds in all")
    # All places are taken: they are free again when the set-up time is over, and honest ends come in.
    await eventually(lambda: not any(map(is_open, slow + more)), "the clock ends them all")
    await gateway.serve()
    for sock in slow + more:
        sock.close()
    mine, theirs = await BareConnector(gateway).pair()
    await mine.send(b"in")
    assert await theirs.exactly(2) == b"in"
    await gateway.close()


async def test_a_crowd_that_comes_while_the_relay_is_busy_gets_no_more_places(house: Authority) -> None:
    house.relay.process.freeze()
    crowd = [connect(house) for _ in range(100)]
    house.relay.process.thaw()
    await eventually(lambda: sum(map(is_open, crowd)) <= PER_ADDRESS)
    assert (await figures(house.relay.process))["setups"] == PER_ADDRESS
    for sock in crowd:
        sock.close()
    await settled(house.relay.process, setups=0)


async def test_a_leg_that_shakes_hands_and_then_says_nothing_ends_by_the_clock(house: Authority) -> None:
    outer, _, _ = await reach(house.relay.address, way(house), LEG_ALPN)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(SETUP_S + 30):
            await outer.receive()
    assert asyncio.get_running_loop().time() - began > SETUP_S / 2
    outer.abort()
    await settled(house.relay.process, setups=0)
