# SPDX-License-Identifier: Apache-2.0
"""From the control plane's answer to open doors: what is checked, what is kept up, what is said when it is away."""

import asyncio
import hashlib
import re
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.errors import PortineriaError
from portineria.dataplane.aio.away import ServerRefuses
from portineria.dataplane.aio.task import until
from portineria.dataplane.connector import keeper, patience
from portineria.dataplane.connector.api import Api, decode, encode
from portineria.dataplane.connector.company_device import public_text
from portineria.dataplane.connector.connect import NoService, ServicesChanged, Wish, connected
from portineria.dataplane.connector.door import BadOffset, Door, loopback_addresses
from portineria.dataplane.connector.legs import NoLeg
from portineria.dataplane.connector.notice import NoticeMissing
from portineria.dataplane.connector.patience import GivenUp, GivenUpAsking
from portineria.dataplane.connector.state import BadState, Store
from portineria.dataplane.connector.text import end_text, text_of
from portineria.dataplane.connector.training import TrainingMissing
from portineria.wire.certificate import load_certificate
from tests.integration.connector.control_plane import STATE, ControlPlane
from tests.integration.connector.relay_world import MACHINE, SESSION, World, relay_world
from tests.integration.connector.responder import Answer, Asked, Responder, responding
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
    async with connected(api, Wish(f"Press 3/{wish}"), pin=plane.world.pin, tell=Told()) as line:
        assert [door.service.name for door in line.doors] == ["Echo"]


async def test_a_proxy_that_turns_the_legs_away_is_named(plane: ControlPlane, api: Api) -> None:
    with squid(with_password=True) as proxy, pytest.raises(NoLeg) as caught:
        async with connected(api, Wish("Press 3", proxy=proxy.url("plant:old")), pin=plane.world.pin, tell=Told()):
            pass
    assert text_of(caught.value.code, why=caught.value.why) == text_of("proxy.credentials")


async def test_a_service_that_does_not_exist_is_named_with_those_that_do(plane: ControlPlane, api: Api) -> None:
    with pytest.raises(NoService, match="Echo"):
        async with connected(api, Wish("Press 3/vnc"), pin=plane.world.pin, tell=Told()):
            pass
    assert plane.asked("POST /api/v1/sessions") == 0


async def test_what_is_wrong_on_this_computer_costs_no_session(plane: ControlPlane, api: Api) -> None:
    def disliked(machine: str, doors: list[Door]) -> None:
        raise NoService(f"{machine} {doors[0].port}")

    with pytest.raises(BadOffset, match="Echo would be at port 85020"):
        async with connected(api, Wish("Press 3", port_offset=70_000), pin=plane.world.pin, tell=Told()):
            pass
    with pytest.raises(NoService, match="Press 3 15020"):
        async with connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told(), check=disliked):
            pass
    assert plane.asked("POST /api/v1/sessions") == 0


async def test_a_notice_is_shown_and_nothing_asked_for_until_somebody_says_that_they_read_it(
    plane: ControlPlane, api: Api
) -> None:
    owner, answers = "org_aaaaaaaaaaaaaaaa", plane.responder.answers
    notice = {
        "organisation": owner, "name": "Northern Works", "number": 3, "language": "it", "what": "Accessi.\n\x1b[2J",
        "why": "Sicurezza.", "who": "Il gestore.", "how_long": "90 giorni.", "acknowledged": False,
    }  # fmt: skip
    said: list[Any] = []

    def machine(asked: Asked) -> Answer:
        found: Any = plane.machine(asked)[1]
        return 200, found if said else {**found, "sight": "askable", "notice": owner, "services": []}

    def acknowledge(asked: Asked) -> Answer:
        said.append(asked.json)
        return 200, notice | {"acknowledged": True}

    answers["GET /api/v1/machines/Press%203"] = machine
    answers[f"GET /api/v1/notices/{owner}"] = (200, notice)
    answers[f"POST /api/v1/notices/{owner}/acknowledge"] = acknowledge
    told = Told()
    with pytest.raises(NoticeMissing) as caught:
        async with connected(api, Wish("Press 3"), pin=plane.world.pin, tell=told):
            pass
    assert "--accept-notice" in (text_of(caught.value.code) or "")
    assert "Che cosa viene registrato:" in told.lines
    assert "  90 giorni." in told.lines
    assert (said, plane.asked("POST /api/v1/sessions")) == ([], 0)

    plane.change = lambda answer: answer.update(recorded=True)
    told, wish = Told(), Wish("Press 3", accept_notice=True)
    async with asyncio.timeout(20), connected(api, wish, pin=plane.world.pin, tell=told) as line:
        assert await echoed(await tool_at(line.doors[0]), b"x") == b"x"
    assert said == [{"number": 3, "language": "it"}]
    assert (
        told.codes.index("notice.line") < told.codes.index("notice.acknowledged") < told.codes.index("session.recorded")
    )


async def test_trainings_are_shown_and_nothing_asked_for_until_somebody_confirms_them(
    plane: ControlPlane, api: Api
) -> None:
    names, answers, said = ["trn_aaaaaaaaaaaaaaaa", "trn_bbbbbbbbbbbbbbbb"], plane.responder.answers, list[Any]()

    def machine(asked: Asked) -> Answer:
        found: Any = plane.machine(asked)[1]
        left = names[len(said) :]
        return 200, {**found, "sight": "askable", "trainings": left, "services": []} if left else found

    def confirm(asked: Asked) -> Answer:
        said.append(asked.json)
        return 200, text

    text = {
        "name": "Safety", "organisation": "Northern Works", "number": 2, "language": "ja", "text": "保護帽\n手袋",
        "link": "https://intra.example/",
    }  # fmt: skip
    answers["GET /api/v1/machines/Press%203"] = machine
    for one in names:
        answers[f"GET /api/v1/trainings/{one}"] = (200, text)
        answers[f"POST /api/v1/trainings/{one}/confirm"] = confirm
    told = Told()
    with pytest.raises(TrainingMissing) as caught:
        async with connected(api, Wish("Press 3", accept_notice=True), pin=plane.world.pin, tell=told):
            pass
    assert "--confirm-trainings" in (text_of(caught.value.code) or "")
    assert told.lines.count("  手袋") == told.lines.count("  https://intra.example/") == 2
    assert (said, plane.asked("POST /api/v1/sessions")) == ([], 0)
    wish = Wish("Press 3", confirm_trainings=True)
    async with asyncio.timeout(20), connected(api, wish, pin=plane.world.pin, tell=Told()) as line:
        assert await echoed(await tool_at(line.doors[0]), b"x") == b"x"
    assert said == [{"number": 2, "language": "ja"}] * 2


async def test_a_computer_with_a_key_of_its_own_signs_that_of_each_session(
    plane: ControlPlane, api: Api, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    assert store.device_key() is None
    device = store.device_key(make=True)
    assert device is not None
    assert (tmp_path / "device.pem").stat().st_mode & 0o777 == 0o600
    again = Store(tmp_path).device_key(make=True)
    assert again is not None
    assert again.public_key() == device.public_key()
    for wish in (Wish("Press 3", device=device), Wish("Press 3")):
        async with asyncio.timeout(20), connected(api, wish, pin=plane.world.pin, tell=Told()):
            pass
    first, second = [asked.json for asked in plane.responder.asked if asked.path == "/api/v1/sessions"]
    covered = b"portineria-device.v1" + hashlib.sha256(decode(first["key"])).digest()
    device.public_key().verify(decode(first["device_signature"]), covered)
    assert first["device_key"] == public_text(device)
    assert "device_key" not in second
    (tmp_path / "device.pem").write_bytes(b"x")
    with pytest.raises(BadState):
        store.device_key()


async def test_services_that_change_before_the_session_begins_open_nothing(plane: ControlPlane, api: Api) -> None:
    def moved(answer: dict[str, Any]) -> None:
        answer["services"] = [{**answer["services"][0], "port": 502}]

    plane.change = moved
    with pytest.raises(ServicesChanged):
        async with connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told()):
            pass
    assert plane.world.gateway.legs == 0
    assert plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == 1


@pytest.mark.parametrize("target", ["Hall 2/Press 3", "Hall 2/Press 3/Echo", "Hall 2/Press 3/PLC/Echo"])
async def test_a_machine_whose_name_has_a_slash_is_found(plane: ControlPlane, api: Api, target: str) -> None:
    if target.endswith("PLC/Echo"):
        plane.world.services[0]["name"] = "PLC/Echo"
    plane.responder.answers["GET /api/v1/machines/Hall%202%2FPress%203"] = plane.machine
    async with connected(api, Wish(target), pin=plane.world.pin, tell=Told()) as line:
        assert [door.service.port for door in line.doors] == [15020]


async def test_a_session_without_streams_hears_of_a_drain_and_of_its_end(
    plane: ControlPlane, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "POLL_S", 0.1)
    told, path = Told(), f"GET /api/v1/sessions/{SESSION}"
    until_then = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()
    drains = {**STATE, "state": "draining", "drain_until": until_then, "end_why": "revoked", "end_reason": ""}
    async with asyncio.timeout(30), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=told) as line:
        plane.responder.answers[path] = 200, drains
        assert await until(lambda: told.codes == ["drain.begun"], timeout_s=10)
        plane.responder.answers[path] = 200, STATE
        assert await until(lambda: told.codes == ["drain.begun", "drain.lifted"], timeout_s=10)
        plane.responder.answers[path] = 200, drains
        assert await until(lambda: len(told.codes) == 3, timeout_s=10)
        asked = plane.asked(path)
        assert await until(lambda: plane.asked(path) > asked + 2, timeout_s=10)
        plane.responder.answers[path] = 200, {**drains, "state": "ended", "ending": "drained"}
        assert await line.keeper.ended(line.session) == ("drained", "the permission was revoked")
    assert told.codes == ["drain.begun", "drain.lifted", "drain.begun"]
    assert re.fullmatch(
        r"Permission ended: the permission was revoked; what runs may finish until \d\d:\d\d:\d\d "
        r"\(1 min (2\d|30) s left\)\.", told.lines[0],
    )  # fmt: skip


async def test_whoever_works_is_told_at_the_terminal_when_somebody_looks_on_and_when_nobody_does(
    plane: ControlPlane, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "POLL_S", 0.1)
    told, path = Told(), f"GET /api/v1/sessions/{SESSION}"
    async with asyncio.timeout(30), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=told):
        for watched in (True, True, False):
            plane.responder.answers[path] = 200, {**STATE, "watched": watched}
            asked = plane.asked(path)
            assert await until(lambda asked=asked: plane.asked(path) > asked + 1, timeout_s=10)  # type: ignore[misc]
    assert told.codes == ["session.watched", "session.unwatched"]
    assert told.lines[0].startswith("Somebody of the plant looks on")


async def test_a_session_that_a_relay_closed_ends_as_the_gateway_signed(plane: ControlPlane, api: Api) -> None:
    async with asyncio.timeout(30), connected(api, Wish("Press 3"), pin=plane.world.pin, tell=Told()) as line:
        plane.responder.answers[f"GET /api/v1/sessions/{SESSION}"] = 200, {
            "state": "ended", "ending": "cut", "end_why": "cut-by-person", "end_reason": "Line starts again",
        }  # fmt: skip
        plane.world.close_legs()
        assert await line.session.over == "relay.closed"
        how, why = await line.keeper.ended(line.session)
    assert end_text(how, why) == "The session was cut. Reason: somebody cut it: “Line starts again”."


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_SILENT_S", 0.2)
    monkeypatch.setattr(patience, "TIMEOUT_S", 0.6)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("asked_first", ["GET /api/v1/machines/Press%203", "POST /api/v1/sessions"])
async def test_a_frozen_server_is_waited_for_and_begins_one_session(
    plane: ControlPlane, api: Api, asked_first: str
) -> None:
    told, keys, thawed = Told(), set[str](), threading.Event()
    answers = plane.responder.answers

    def frozen(asked: Asked) -> Answer:
        thawed.wait(20)
        return (plane.machine if asked.method == "GET" else start)(asked)

    def start(asked: Asked) -> Answer:
        keys.add(asked.json["key"])
        return plane.start(asked)

    answers["POST /api/v1/sessions"] = start
    answers[asked_first] = frozen
    async with asyncio.timeout(30):
        opening = asyncio.ensure_future(_echo_once(api, plane, told))
        assert await until(lambda: plane.asked(asked_first) >= 2, timeout_s=20)
        thawed.set()
        assert await opening == b"x"
    assert len(keys) == 1
    assert told.codes == ["server.waited-for", "control.back"]
    assert told.lines[0].startswith("The server does not answer (")
    assert "Waiting for it up to 2 min; Ctrl-C stops." in told.lines[0]


async def _echo_once(api: Api, plane: ControlPlane, told: Told) -> bytes:
    async with connected(api, Wish("Press 3"), pin=plane.world.pin, tell=told) as line:
        return await echoed(await tool_at(line.doors[0]), b"x")


async def test_a_server_that_comes_back_is_waited_for_until_its_gateways_are_back(
    plane: ControlPlane, api: Api
) -> None:
    told, answers = Told(), plane.responder.answers
    page = "GET /api/v1/machines/Press%203"
    answers[page] = 502, b"<html>the balancer speaks</html>"
    answers["POST /api/v1/sessions"] = 503, {"code": "gateway.away", "title": "t", "detail": "d"}
    async with asyncio.timeout(30):
        opening = asyncio.ensure_future(_echo_once(api, plane, told))
        assert await until(lambda: plane.asked(page) >= 2, timeout_s=20)
        answers[page] = plane.machine
        assert await until(lambda: plane.asked("POST /api/v1/sessions") >= 2, timeout_s=20)
        answers["POST /api/v1/sessions"] = plane.start
        assert await opening == b"x"
    assert told.codes == ["server.waited-for", "control.back", "server.waited-for", "control.back"]
    assert told.lines[2].startswith("The plant's gateway is not connected")


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_stays_away_is_given_up_with_what_may_have_been_begun(
    plane: ControlPlane, api: Api
) -> None:
    thawed, offset = threading.Event(), 10_000 + secrets.randbelow(30_000)  # a port that no other test looks at

    def frozen(asked: Asked) -> Answer:
        thawed.wait(20)
        return plane.start(asked)

    plane.responder.answers["POST /api/v1/sessions"] = frozen
    try:
        with pytest.raises(GivenUpAsking) as caught:
            async with (
                asyncio.timeout(20),
                connected(api, Wish("Press 3", offset, wait_s=1), pin=plane.world.pin, tell=Told()),
            ):
                pass
    finally:
        thawed.set()
    assert "portineria cut ends it" in (text_of(caught.value.code, why=str(caught.value)) or "")
    assert not _listens(15020 + offset)


def _listens(port: int) -> bool:
    address = next(loopback_addresses(MACHINE, 0))
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


async def test_a_server_that_nobody_started_is_given_up_without_doubt(api: Api, key: Ed25519PrivateKey) -> None:
    told, nobody = Told(), Api("http://127.0.0.1:1", proxy="none", credential=lambda: (key, "t"))
    with pytest.raises(GivenUp) as caught:
        async with asyncio.timeout(20), connected(nobody, Wish("Press 3", wait_s=1), pin="", tell=told):
            pass
    assert type(caught.value) is GivenUp
    assert "refuses the connection (127.0.0.1:1)" in str(caught.value)
    assert told.codes == ["server.waited-for"]
    with pytest.raises(ServerRefuses):
        async with connected(nobody, Wish("Press 3", wait_s=0), pin="", tell=told):
            pass


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
