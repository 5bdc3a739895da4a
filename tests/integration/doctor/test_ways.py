# SPDX-License-Identifier: Apache-2.0
"""Each check finds the real thing that it is for, and nothing where nothing is wrong."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.dataplane.aio.dial import read_proxy
from portineria.dataplane.connector import doctor as connector
from portineria.dataplane.connector.state import Server, Store
from portineria.dataplane.gateway import doctor as gateway
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.state import State
from portineria.dataplane.relay import doctor as relay
from portineria.doctor import machine, path
from portineria.doctor.finding import Finding, Level, status_of
from portineria.process.lock import take
from portineria.process.settings import write_settings
from portineria.wire.leg import LINK_ALPN
from portineria.wire.statement import RelayAddress
from tests.integration.authority import Authority
from tests.integration.credentials import Credentials
from tests.integration.doctor.answering import answering, certificate, written
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import free_port
from tests.integration.relay_process import furnish


def wrong(findings: Iterable[Finding]) -> dict[str, Level]:
    """What is not in order; each says what it means and what to do."""
    found = [one for one in findings if one.level is not Level.OK]
    assert all(one.seen and one.means and one.remedy for one in found)
    return {one.check: one.level for one in found}


@pytest.mark.parametrize(
    ("host", "days", "trusted", "expected"),
    [
        ("localhost", 90, True, {}),
        ("localhost", 5, True, {"certificate.time": Level.WARNING}),
        ("localhost", -1, True, {"certificate.time": Level.FAULT}),
        ("other.example", 90, True, {"certificate.name": Level.FAULT}),
        ("localhost", 90, False, {"certificate.chain": Level.FAULT}),
    ],
    ids=["good", "ends soon", "ended", "another name", "opened or untrusted"],
)
def test_what_is_wrong_with_a_certificate_is_told_apart(
    tmp_path: Path, host: str, days: float, trusted: bool, expected: dict[str, Level]
) -> None:
    shown = certificate(tmp_path, host, days=days)
    with answering(shown) as port:
        found = [*path.verified(path.Way("localhost", port), str(shown.chain) if trusted else "")]
    assert wrong(found) == expected
    assert status_of(found) == (1 if Level.FAULT in expected.values() else 4 if expected else 0)


def test_what_is_wrong_with_a_way_out_is_told_apart(tmp_path: Path) -> None:
    nobody = free_port()
    assert wrong(path.tcp(path.Way("127.0.0.1", nobody))) == {"reach": Level.FAULT}
    assert wrong(path.tcp(path.Way("nowhere.invalid", 443))) == {"dns": Level.FAULT}
    gone = read_proxy(f"http://user:secret@127.0.0.1:{nobody}")
    [found] = [one for one in path.tcp(path.Way("gate.example", 443, gone)) if one.level is Level.FAULT]
    assert (found.check, "secret" in found.seen) == ("proxy", False)
    with answering(status="403 Forbidden") as port:
        refusing = read_proxy(f"http://127.0.0.1:{port}")
        assert wrong(path.tcp(path.Way("gate.example", 443, refusing))) == {"proxy": Level.FAULT}
        assert wrong(path.tls(path.Way("127.0.0.1", port), lambda _: iter(()))) == {"tls": Level.FAULT}


@pytest.mark.parametrize(("behind_s", "level"), [(0, None), (40, Level.WARNING), (400, Level.FAULT)])
@pytest.mark.parametrize("secure", [False, True])
def test_a_clock_that_is_apart_is_noticed(tmp_path: Path, behind_s: float, level: Level | None, secure: bool) -> None:
    with answering(certificate(tmp_path, "localhost") if secure else None, behind_s=behind_s) as port:
        found = [*path.clock(path.Way("localhost", port), secure=secure)]
    assert len(found) == 1
    assert abs((found[0].number or 0) - behind_s) <= 3
    assert wrong(found) == ({"clock": level} if level else {})


def test_what_is_wrong_with_this_computer_is_told_apart(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert wrong([machine.port("127.0.0.1", port, ours=False)]) == {"port": Level.FAULT}
        assert wrong([machine.port("127.0.0.1", port, ours=True)]) == {}
    assert wrong([machine.port("127.0.0.1", port, ours=False)]) == {}
    assert wrong([machine.port("192.0.2.1", port, ours=False)]) == {"port": Level.FAULT}  # no address of ours
    secret = tmp_path / "master.key"
    assert wrong(machine.private(secret)) == {}
    secret.write_text("x")
    secret.chmod(0o640)
    assert wrong(machine.private(secret)) == {"permissions": Level.FAULT}
    secret.chmod(0o600)
    assert wrong(machine.private(secret)) == {}
    free = machine.room(tmp_path, fault_mib=0, warning_mib=0).number or 0
    assert wrong([machine.room(tmp_path, fault_mib=0, warning_mib=int(free * 2))]) == {"disk": Level.WARNING}
    assert wrong([machine.room(tmp_path, fault_mib=int(free * 2), warning_mib=0)]) == {"disk": Level.FAULT}
    named = {"HTTPS_PROXY": "http://user:secret@proxy.example:3128"}
    found = machine.proxies(named, used=False)
    assert (found.level, "proxy.example" in found.seen, "secret" in found.seen) == (Level.WARNING, True, False)
    assert wrong([machine.proxies(named, used=True)]) == {}


def enrolled(tmp_path: Path, authority: Authority, relay: RelayAddress, url: str) -> State:
    made = GatewayProcess(authority, tmp_path / "gateway", reach=["192.168.10.0/24:502"])
    trust = authority.trust(made.gateway, relays=[relay], url=url)
    pinned = made.state.load_pinned()
    made.state.save_pinned(pinned.__class__(pinned.root_spki_sha256, trust, url))
    return made.state


async def test_a_gateway_finds_the_path_opened_the_clock_apart_and_itself_not_running(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    name = "rel_aaaaaaaaaaaaaaaa"
    key = ec.generate_private_key(ec.SECP256R1())
    own = written(tmp_path, authority.issue("relay", name, key.public_key(), hosts=("localhost",)), key, "relay")
    with answering(own, alpn=LINK_ALPN) as port, answering(behind_s=300) as server:
        state = enrolled(tmp_path, authority, RelayAddress(name, "localhost", port), f"http://127.0.0.1:{server}")
        assert wrong(gateway.examine(state, {})) == {"process": Level.FAULT, "clock": Level.FAULT}
    middlebox = certificate(tmp_path, "localhost")
    with answering(middlebox, alpn=LINK_ALPN) as port, answering() as server:
        pinned = state.load_pinned()
        trust = authority.trust("gwy_aaaaaaaaaaaaaaaa", relays=[RelayAddress(name, "localhost", port)],
                                url=f"http://127.0.0.1:{server}")  # fmt: skip
        state.save_pinned(pinned.__class__(pinned.root_spki_sha256, trust, pinned.enrolled_at))
        opened = [one for one in gateway.examine(state, {}) if one.check == "path"]
        assert [(one.level, "CN=localhost" in one.seen) for one in opened] == [(Level.FAULT, True)]
        write_settings(state.settings, GatewaySettings(proxy="none", allow_opened=True))
        assert wrong(gateway.examine(state, {}))["path"] is Level.WARNING
    state.reach.write_text("")
    (state.keys / "tls.pem").chmod(0o644)
    found = wrong(gateway.examine(state, {}))
    assert (found["reach-list"], found["permissions"], found["reach"]) == (Level.FAULT,) * 3
    state.settings.write_text("prxy = 1\n")
    assert wrong(gateway.examine(state, {}))["settings"] is Level.FAULT
    assert wrong(gateway.examine(State(tmp_path / "none"), {})) == {"state": Level.FAULT, "enrolment": Level.FAULT}
    await authority.close()


def test_a_connector_finds_what_is_between_it_and_its_server(tmp_path: Path) -> None:
    store, now = Store(tmp_path / "home"), datetime.now(UTC)
    assert wrong(connector.examine(store, None, {}, now)) == {"sign-in": Level.FAULT}
    shown = certificate(tmp_path, "localhost")
    with answering(shown, behind_s=200) as port:
        server = Server(
            f"https://localhost:{port}", "00" * 32, "per_a", now.isoformat(timespec="seconds"), ca=str(shown.chain)
        )
        store.save(server, Ed25519PrivateKey.generate(), "token")
        found = wrong(connector.examine(store, None, {}, now))
        assert found == {"sign-in": Level.WARNING, "clock": Level.FAULT}
    assert "reach" in wrong(connector.examine(store, None, {}, now))


def test_a_relay_finds_its_port_taken_its_key_open_and_no_server(tmp_path: Path) -> None:
    credentials = Credentials()
    made = furnish("rel_aaaaaaaaaaaaaaaa", tmp_path / "relay", credentials, bus=str(tmp_path / "bus.sock"), settings={})
    made.key.chmod(0o600)
    assert wrong(relay.examine(tmp_path / "relay")) == {"bus": Level.FAULT}
    with socket.socket(socket.AF_UNIX) as server, socket.create_server(("127.0.0.1", made.address.port)):
        server.bind(str(tmp_path / "bus.sock"))
        server.listen()
        assert wrong(relay.examine(tmp_path / "relay" / "relay.toml")) == {"port": Level.FAULT}
        write_settings(
            tmp_path / "relay" / "relay.toml", msgspec.structs.replace(made.settings, lock=tmp_path / "lock")
        )
        held = take(tmp_path / "lock")
        assert held is not None
        assert wrong(relay.examine(tmp_path / "relay")) == {}  # the port is its own
        os.close(held)
        made.key.chmod(0o644)
        made.certificate.write_text("none")
        found = wrong(relay.examine(tmp_path / "relay"))
        assert found == {"permissions": Level.FAULT, "certificate": Level.FAULT, "port": Level.FAULT}
    assert wrong(relay.examine(tmp_path / "gone")) == {"settings": Level.FAULT}
