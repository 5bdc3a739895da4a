# SPDX-License-Identifier: Apache-2.0
"""Gateways without a code: the server is proven by its root's fingerprint, the gateway by somebody's eyes (WIRE 5)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils import timezone

from portineria.control.audit.queries import events
from portineria.control.estate import enrolment as admission
from portineria.control.estate import introduction, signers
from portineria.control.estate.models import Gateway
from portineria.control.identity import keys
from portineria.control.identity.authority import Operator
from portineria.control.identity.connector import base64url, unbase64
from portineria.control.settings import start
from portineria.core.errors import Conflict
from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway.state import State
from portineria.wire.certificate import fingerprint, spki_sha256
from portineria.wire.enrolment import TRUST, introduction_covered
from portineria.wire.envelope import read_signed
from portineria.wire.statement import open_introduction, sha256
from tests.integration.control.world import GatewayEnd, World, post

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is

REFUSED = ("enrolment.without-code", 404)


@pytest.fixture(autouse=True)
def offered() -> Iterator[None]:
    """As the server's settings say."""
    before = start.current()
    start._used[:] = [msgspec.structs.replace(before, enrolment_without_code=True)]
    yield
    start._used[:] = [before]


def outcome(response: Any) -> tuple[str, int]:
    return response.json()["code"], response.status_code


def introduce(
    end: GatewayEnd, plant: str, *, root: bytes | None = None, by: ec.EllipticCurvePrivateKey | None = None,
    address: str = "192.0.2.1", signed: bytes | None = None,
) -> Any:  # fmt: skip
    request, meant = end.request(), root or introduction.root_sha256()
    covered = signed or introduction_covered(request, plant, meant)
    signature = (by or end.tls).sign(covered, ec.ECDSA(hashes.SHA256()))
    body = {
        "plant": plant, "request": base64url(request), "root": base64url(meant), "signature": base64url(signature),
    }  # fmt: skip
    return Client(REMOTE_ADDR=address).post("/api/v1/gateways/introduce", body, content_type="application/json")


def waiting() -> int:
    return Gateway.objects.filter(without_code=True, state="waiting").count()


def test_a_gateway_without_a_code_waits_for_admission_and_its_trust_is_signed(world: World) -> None:
    end = GatewayEnd()
    answer = introduce(end, world.plant).json()
    exact = unbase64(answer["trust"], "trust")
    said = open_introduction(
        read_signed(unbase64(answer["introduction"], "introduction")), keys.signer("order").key.public_key()
    )
    assert (said.gateway, said.request_sha256, said.trust_sha256) == (
        answer["gateway"], sha256(end.request()), sha256(exact),
    )  # fmt: skip
    end.id, end.trust = answer["gateway"], TRUST.decode(exact)
    assert end.certificate().json() == {"state": "waiting", "certificate": None}
    [event] = events(world.owner, code="estate.gateway.introduced")
    assert event.gateway == end.id
    admission.admit_gateway(actor=world.owner, gateway=end.id)
    assert end.certificate().json()["certificate"]
    assert signers.signer_for(Gateway.objects.get(public_id=end.id), "order").id == keys.signer("order").id


def test_the_same_keys_may_ask_again(world: World) -> None:
    end = GatewayEnd()
    first, second = introduce(end, world.plant).json(), introduce(end, world.plant).json()
    assert first["gateway"] == second["gateway"]
    assert waiting() == 1


def test_one_answer_for_what_is_off_unknown_or_not_its_own(world: World) -> None:
    end = GatewayEnd()
    unknown = introduce(end, new_id(Kind.PLANT))
    stranger = introduce(end, world.plant, by=ec.generate_private_key(ec.SECP256R1()))
    start._used[:] = [msgspec.structs.replace(start.current(), enrolment_without_code=False)]
    off = introduce(end, world.plant)
    assert {outcome(answer) for answer in (unknown, stranger, off)} == {REFUSED}
    assert {answer.content for answer in (unknown, stranger, off)} == {off.content}
    assert waiting() == 0


def test_what_was_meant_for_another_plant_or_server_is_refused(world: World) -> None:
    """Somebody between gateway and server sends it on to where they would like to have it."""
    end, ours = GatewayEnd(), introduction.root_sha256()
    other_plant = introduction_covered(end.request(), new_id(Kind.PLANT), ours)
    other_server = introduction_covered(end.request(), world.plant, bytes(32))
    other_gateway = introduction_covered(GatewayEnd().request(), world.plant, ours)
    for signed in (other_plant, other_server, other_gateway):
        assert outcome(introduce(end, world.plant, signed=signed)) == REFUSED
    assert waiting() == 0


def test_it_is_off_until_the_settings_say_otherwise() -> None:
    from portineria.control.settings.server import ServerSettings

    assert ServerSettings().enrolment_without_code is False


def test_another_root_than_ours_is_said_and_nothing_kept(world: World) -> None:
    assert outcome(introduce(GatewayEnd(), world.plant, root=bytes(32))) == ("enrolment.root", 409)
    assert waiting() == 0


def test_a_request_that_makes_no_sense_is_refused(world: World) -> None:
    body = {"plant": world.plant, "request": base64url(b"\xc1"), "root": base64url(bytes(32)), "signature": ""}
    assert outcome(post("/api/v1/gateways/introduce", body)) == ("enrolment.request", 422)


def test_one_address_may_send_few_of_them(world: World) -> None:
    for _ in range(introduction.PER_ADDRESS):
        assert introduce(GatewayEnd(), world.plant).status_code == 200
    for gateway in Gateway.objects.filter(without_code=True):
        admission.refuse_gateway(actor=world.owner, gateway=gateway.public_id, reason="not ours")
    assert outcome(introduce(GatewayEnd(), world.plant)) == ("enrolment.full", 409), "also when they were refused"
    assert introduce(GatewayEnd(), world.plant, address="192.0.2.2").status_code == 200
    an_hour_ago = timezone.now() - introduction.PER_ADDRESS_WITHIN
    Gateway.objects.filter(without_code=True).update(enrolled_at=an_hour_ago)
    assert introduce(GatewayEnd(), world.plant).status_code == 200


def test_few_of_them_wait_at_one_plant_and_in_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from portineria.control.estate import services

    for number in range(introduction.WAITING_PER_PLANT):
        assert introduce(GatewayEnd(), world.plant, address=f"192.0.2.{number}").status_code == 200
    assert outcome(introduce(GatewayEnd(), world.plant, address="192.0.2.99")) == ("enrolment.full", 409)
    other = services.create_plant(actor=world.owner, organisation=world.organisation, name="South", time_zone="UTC")
    assert introduce(GatewayEnd(), other.public_id, address="192.0.2.99").status_code == 200
    monkeypatch.setattr(introduction, "WAITING", waiting())
    assert outcome(introduce(GatewayEnd(), other.public_id, address="192.0.2.98")) == ("enrolment.full", 409)
    assert waiting() == introduction.WAITING


def test_whoever_nobody_admits_within_a_day_is_refused(world: World) -> None:
    end = GatewayEnd()
    answer = introduce(end, world.plant).json()
    end.id, end.trust = answer["gateway"], TRUST.decode(unbase64(answer["trust"], "trust"))
    Gateway.objects.filter(public_id=end.id).update(enrolled_at=timezone.now() - Gateway.WITHOUT_CODE_LIFE)
    with pytest.raises(Conflict, match="too long"):
        admission.admit_gateway(actor=world.owner, gateway=end.id)
    introduction.expire(timezone.now())
    assert end.certificate().json() == {"state": "refused", "certificate": None}
    assert events(world.owner, code="estate.gateway.refused").count() == 1


def test_a_gateway_with_a_code_is_not_refused_by_time(world: World) -> None:
    end = GatewayEnd()
    code, _ = admission.offer_enrolment(actor=world.owner, plant=world.plant)
    end.accept(code, end.enrol(code).json())
    Gateway.objects.filter(public_id=end.id).update(enrolled_at=timezone.now() - timedelta(days=9))
    introduction.expire(timezone.now())
    admission.admit_gateway(actor=world.owner, gateway=end.id)


# -- the real command against the real server -------------------------------------------------------------------


def gateway(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "portineria.cli.main",
        "gateway",
        *arguments,
        "--state",
        str(state),
        "--proxy",
        "none",
    ]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )  # fmt: skip


def without_code(url: str, plant: str, fingerprint: str, *more: str) -> list[str]:
    return [url, "--plant", plant, "--root-fingerprint", fingerprint, "--no-wait", *more]


def test_from_the_command_to_the_certificate(transactional_db: None, live_server: Any, tmp_path: Path) -> None:
    from tests.integration.control.world import build, fresh

    world, root = build(), introduction.root_fingerprint()
    done = gateway("enrol", *without_code(live_server.url, world.plant, root), state=tmp_path / "gateway")
    assert done.returncode == 0, done.stderr
    row = Gateway.objects.get(without_code=True)
    state = State(tmp_path / "gateway")
    assert row.fingerprint == fingerprint(spki_sha256(state.load_keys().tls.public_key()))
    assert row.fingerprint in done.stdout
    assert fingerprint(state.load_pinned().root_spki_sha256) == root
    assert state.load_pinned().trust.gateway == row.public_id
    admission.admit_gateway(actor=fresh(world.owner), gateway=row.public_id)
    assert Gateway.objects.get(pk=row.pk).admitted


def test_repin_without_a_code(transactional_db: None, live_server: Any, tmp_path: Path) -> None:
    """From another server's root to ours, by a fingerprint that was given on the gateway itself."""
    from tests.integration.authority import Authority
    from tests.integration.control.world import build
    from tests.integration.gateway.console import Console

    world, state = build(), tmp_path / "gateway"
    with Console(Authority(tmp_path / "other")) as other:
        assert gateway("enrol", other.url, other.offer(), "--no-wait", state=state).returncode == 0
    before = State(state).load_pinned()
    root = introduction.root_fingerprint()
    enrolled = gateway("enrol", *without_code(live_server.url, world.plant, root), state=state)
    assert enrolled.returncode == 1, "only repin believes another root"
    wrong = gateway("repin", *without_code(live_server.url, world.plant, "00" * 32, "--yes"), state=state)
    assert wrong.returncode == 1
    assert "fingerprint" in wrong.stderr
    assert State(state).load_pinned() == before
    done = gateway("repin", *without_code(live_server.url, world.plant, root, "--yes"), state=state)
    assert done.returncode == 0, done.stderr
    after = State(state).load_pinned()
    assert fingerprint(after.root_spki_sha256) == root
    assert fingerprint(before.root_spki_sha256) in done.stdout


def test_what_the_command_needs_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    for arguments in ([], ["--plant", "pla_x"], ["CODE", "--plant", "pla_x"], ["--root-fingerprint", "00" * 32]):
        done = gateway("enrol", nowhere, *arguments, state=tmp_path / "gateway")
        assert done.returncode == 2, (arguments, done.stderr)
    short = gateway("enrol", nowhere, "--plant", "pla_x", "--root-fingerprint", "00 11", state=tmp_path / "gateway")
    assert short.returncode == 2
    assert "64 digits" in short.stderr


# -- pages ------------------------------------------------------------------------------------------------------


def page(world: World, path: str) -> str:
    client = Client()
    client.force_login(world.owner)
    return client.get(path).content.decode()


def test_the_console_gives_the_command_and_asks_for_the_comparison(world: World) -> None:
    offered_page = page(world, "/gateways/add/")
    assert f"--plant {world.plant}" in offered_page
    assert introduction.root_fingerprint() in offered_page
    answer = introduce(GatewayEnd(), world.plant).json()
    shown = page(world, f"/gateways/{answer['gateway']}/")
    assert 'id="without-code"' in shown
    assert Gateway.objects.get(public_id=answer["gateway"]).fingerprint in shown
    assert "without a code" in page(world, "/gateways/")


def test_the_console_offers_nothing_that_the_settings_do_not_allow(world: World) -> None:
    start._used[:] = [msgspec.structs.replace(start.current(), enrolment_without_code=False)]
    assert "--plant" not in page(world, "/gateways/add/")


def test_a_rotated_signer_introduces_as_well(world: World) -> None:
    signers.rotate(actor=Operator(), role="order")
    answer = introduce(GatewayEnd(), world.plant).json()
    trust = TRUST.decode(unbase64(answer["trust"], "trust"))
    assert read_signed(unbase64(answer["introduction"], "introduction")).signer in trust.signers
