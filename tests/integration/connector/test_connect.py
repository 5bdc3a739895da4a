# SPDX-License-Identifier: Apache-2.0
"""From the control plane's answer to open doors: what is checked, what is kept up, what is said when it is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.errors import PortineriaError
from portineria.dataplane.aio.task import until
from portineria.dataplane.connector import keeper
from portineria.dataplane.connector.api import Api, decode, encode
from portineria.dataplane.connector.connect import NoService, Wish, connected
from portineria.dataplane.connector.legs import NoLeg
from portineria.dataplane.connector.text import text_of
from portineria.wire.certificate import load_certificate
from tests.integration.connector.control_plane import STATE, ControlPlane
from tests.integration.connector.relay_world import SESSION, World, relay_world
from tests.integration.connector.responder import Responder, responding
from tests.integration.connector.test_session import Told, echoed, tool_at
from tests.integration.connector.wire_pair import Certificates
from tests.integration.middlebox import squid

DER = Encoding.DER


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with relay_world(tmp_path) as made:
        yield made


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def plane(world: World, key: Ed25519PrivateKey) -> Iterator[ControlPlane]:
    with responding(Responder(key=key.public_key(), token="t")) as responder:
        yield ControlPlane(world, responder)


@pytest.fixture
def api(plane: ControlPlane, key: Ed25519PrivateKey) -> Api:
    return Api(plane.responder.url, proxy="none", credential=lambda: (key, "t"))


async def test_a_session_opens_doors_and_says_when_it_is_done(plane: ControlPlane, api: Api) -> None:
    told = Told()
    async with asyncio.timeout(20), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=told) as line:
        assert await echoed(await tool_at(line.doors[0]), b"x") == b"x"
    assert plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == 1
    assert told.lines == []


@pytest.mark.parametrize("wish", ["srv_aaaaaaaaaaaaaaaa", "Echo", "modbus"])
async def test_a_service_is_chosen_by_id_name_or_protocol(plane: ControlPlane, api: Api, wish: str) -> None:
    async with connected(api, Wish("Press 3", wish), pin=plane.world.pin, tell=Told()) as line:
        assert [door.service.name for door in line.doors] == ["Echo"]


async def test_a_proxy_that_turns_the_legs_away_is_named(plane: ControlPlane, api: Api) -> None:
    with squid(with_password=True) as proxy, pytest.raises(NoLeg) as caught:
        async with connected(api, Wish("Press 3", proxy=proxy.url("plant:old")), pin=plane.world.pin, tell=Told()):
            pass
    assert text_of(caught.value.code, why=caught.value.why) == text_of("proxy.credentials")


async def test_a_service_that_does_not_exist_is_named_with_those_that_do(plane: ControlPlane, api: Api) -> None:
    with pytest.raises(NoService, match="Echo"):
        async with connected(api, Wish("Press 3", "vnc"), pin=plane.world.pin, tell=Told()):
            pass
    assert plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == 1


def other_installation(folder: Path, answer: dict[str, Any]) -> None:
    """A whole consistent installation, only not the pinned one."""
    other = Certificates(folder)
    public = load_certificate(decode(answer["certificate"])).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    answer["certificate"] = encode(other.leaf("session", SESSION, public).public_bytes(DER))
    answer["trust"]["root"] = encode(other.root.public_bytes(DER))
    answer["trust"]["issuers"] = {kind: encode(c.public_bytes(DER)) for kind, c in other.issuers.items()}


def foreign_issuers(folder: Path, answer: dict[str, Any]) -> None:
    other = Certificates(folder)
    answer["trust"]["issuers"] = {kind: encode(c.public_bytes(DER)) for kind, c in other.issuers.items()}


def swapped_issuers(_folder: Path, answer: dict[str, Any]) -> None:
    issuers = answer["trust"]["issuers"]
    issuers["gateway"], issuers["relay"] = issuers["relay"], issuers["gateway"]


def missing_issuer(_folder: Path, answer: dict[str, Any]) -> None:
    del answer["trust"]["issuers"]["relay"]


def another_session(_folder: Path, answer: dict[str, Any]) -> None:
    answer["session"] = "ses_bbbbbbbbbbbbbbbb"


def another_role(_folder: Path, answer: dict[str, Any]) -> None:
    answer["certificate"] = answer["trust"]["issuers"]["session"]


def no_relay(_folder: Path, answer: dict[str, Any]) -> None:
    answer["relays"], answer["tickets"] = [], []


def odd_tickets(_folder: Path, answer: dict[str, Any]) -> None:
    answer["tickets"] *= 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (other_installation, "server.mismatch"),
        (foreign_issuers, "server.mismatch"),
        (swapped_issuers, "server.mismatch"),
        (missing_issuer, "server.mismatch"),
        (another_session, "server.mismatch"),
        (another_role, "server.mismatch"),
        (no_relay, "server.answer"),
        (odd_tickets, "server.answer"),
    ],
)
async def test_an_answer_that_does_not_fit_the_pin_opens_nothing(
    tmp_path: Path, plane: ControlPlane, api: Api, change: Callable[[Path, dict[str, Any]], None], code: str
) -> None:
    plane.change = lambda answer: change(tmp_path, answer)
    with pytest.raises(PortineriaError) as caught:
        async with connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told()):
            pass
    assert caught.value.code == code
    assert plane.world.gateway.legs == 0


async def test_a_certificate_for_another_key_opens_nothing(plane: ControlPlane, api: Api) -> None:
    stolen = ec.generate_private_key(ec.SECP256R1()).public_key()

    def change(answer: dict[str, Any]) -> None:
        answer["certificate"] = encode(plane.world.certificates.leaf("session", SESSION, stolen).public_bytes(DER))

    plane.change = change
    with pytest.raises(PortineriaError) as caught:
        async with connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told()):
            pass
    assert caught.value.code == "server.mismatch"


async def test_tickets_are_renewed_before_they_end(plane: ControlPlane, api: Api) -> None:
    plane.world.ticket_s = 2
    path = f"POST /api/v1/sessions/{SESSION}/tickets"
    async with asyncio.timeout(30), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told()) as line:
        assert await until(lambda: plane.asked(path) >= 3, timeout_s=20)
        await line.session.legs.take()  # the next one is made with the newest ticket
        assert await echoed(await tool_at(line.doors[0]), b"x") == b"x"


async def test_open_work_goes_on_while_the_control_plane_is_away(
    plane: ControlPlane, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "POLL_S", 0.1)
    plane.world.ticket_s = 270
    told, path = Told(), f"GET /api/v1/sessions/{SESSION}"
    async with asyncio.timeout(30), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=told) as line:
        plane.responder.answers[path] = (502, b"the balancer speaks")
        assert await until(lambda: bool(told.lines), timeout_s=10)
        assert await echoed(await tool_at(line.doors[0]), b"x") == b"x"
        asked = plane.asked(path)
        assert await until(lambda: plane.asked(path) > asked + 2, timeout_s=10)
        plane.responder.answers[path] = (200, STATE)
        assert await until(lambda: len(told.lines) == 2, timeout_s=10)
    assert told.lines == [
        "The server cannot be reached; open work goes on, new connections for 4 more minutes.",
        "The server is back.",
    ]


async def test_an_extension_brings_a_new_order_certificate_and_end(
    plane: ControlPlane, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "POLL_S", 0.1)
    told, world = Told(), plane.world
    async with asyncio.timeout(30), connected(api, Wish("Press 3"), pin=world.pin, tell=told) as line:
        public = line.session.legs._admission.key.public_key()
        certificate = world.certificates.leaf("session", SESSION, public).public_bytes(DER)
        plane.responder.answers[f"GET /api/v1/sessions/{SESSION}"] = 200, {
            **STATE, "order_sha256": encode(b"n" * 32), "certificate": encode(certificate),
            "ends_at": "2099-01-01T00:00:00Z",
        }  # fmt: skip
        assert await until(lambda: line.session.order_sha256 == b"n" * 32, timeout_s=10)
        assert line.session.legs._admission.certificate == certificate
        assert await echoed(await tool_at(line.doors[0]), b"x") == b"x"
    assert told.codes == ["permission.extended"]
    assert world.gateway.hellos[-1].order_sha256 == b"n" * 32


async def test_a_session_that_ended_elsewhere_ends_here(
    plane: ControlPlane, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "POLL_S", 0.1)
    async with asyncio.timeout(30), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told()) as line:
        plane.responder.answers[f"GET /api/v1/sessions/{SESSION}"] = 200, {"state": "ended", "ending": "drained"}
        assert await line.session.over == "drained"


async def test_a_gateway_that_is_away_is_said_before_anything_is_opened(plane: ControlPlane, api: Api) -> None:
    await plane.world.gateway.close()
    assert await until(lambda: plane.world.relays[0].relay.figures["links"] == 0, timeout_s=30)
    with pytest.raises(PortineriaError) as caught:
        async with asyncio.timeout(20), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told()):
            pass
    assert caught.value.code == "gateway.away"
    assert plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == 1
