# SPDX-License-Identifier: Apache-2.0
"""Our registers before witnesses, honest and hostile, and we as a witness of others."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from portineria.control.audit import cosigning, watching
from portineria.control.audit.models import Checkpoint, Cosignature, Event, Watched, WatchedCheckpoint, Witnessed
from portineria.control.audit.sealing import unsealed
from portineria.control.console_certificate import console_context
from portineria.control.identity.cosigner import Cosigner, watch
from portineria.control.identity.register import Seal, export_register, seal_to_the_end, signers_here
from portineria.control.settings.server import ServerSettings, WitnessPlace
from portineria.control.witnessing import Witnessing, authorities
from portineria.ledger.checkpoint import read_checkpoint
from portineria.ledger.trust import Trust
from portineria.ledger.verification import Verdict, verify
from portineria.ledger.witness import Evidence, answer_name, cosignature_in, read_request, request_name
from portineria.witness.drop import answer_all
from portineria.witness.state import WitnessState, initialise
from tests.integration.control.world import World
from tests.unit.witness.history import FORGED, HONEST, ORIGIN, OTHER, TRUSTED

TLS = authorities(None)  # the system's
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.fixture
def witness(committed_world: World, tmp_path: Path) -> WitnessState:
    state = initialise(tmp_path / "w", "witness.example/w1")
    key = Seal().key(committed_world.organisation)
    state.trust(key.name, key, 1)
    seal_to_the_end(committed_world.organisation)
    return state


def write(world: World, count: int = 1) -> int:
    """More events, sealed; the size then."""
    from django.db import transaction

    from portineria.control.audit.services import record

    for number in range(count):
        with transaction.atomic():
            record("estate.plant.created", organisation=world.organisation, actor="operator", plant=f"pla_{number}")
    seal_to_the_end(world.organisation)
    return Event.objects.filter(organisation=world.organisation).count()


def due_now() -> None:
    Witnessed.objects.update(next_at=timezone.now() - timedelta(seconds=1))


def round_with(place: WitnessPlace) -> None:
    async_to_sync(Witnessing([place], TLS).round)(place)


def next_at(world: World) -> datetime:
    found = row(world).next_at
    assert found is not None
    return found


def row(world: World) -> Witnessed:
    return Witnessed.objects.get(organisation=world.organisation)


def verdict(world: World, *witnesses: WitnessState, strict: bool = False) -> Verdict:
    from portineria.control.identity.authority import Operator

    lines = list(export_register(actor=Operator(), organisation=world.organisation))
    root = signers_here(world.organisation).root_sha256
    return verify(lines, Trust(root, witnesses=[one.key for one in witnesses], all_witnessed=strict))


# -- by folder ------------------------------------------------------------------------------------------------------


def test_a_folder_carries_questions_and_answers(committed_world: World, witness: WitnessState, tmp_path: Path) -> None:
    drop = tmp_path / "stick"
    place = WitnessPlace(witness.key, drop=drop)
    round_with(place)
    assert "stick cannot be read" in row(committed_world).error
    drop.mkdir()
    due_now()
    round_with(place)
    round_with(place)
    mine = list(drop.iterdir())
    own = [path for path in mine if path.read_text().split("\n")[2].endswith(committed_world.organisation)]
    assert len(own) == 1
    answer_all(drop, witness.key.key_id, lambda data: witness.answer(data, 1_800_000_000))
    due_now()
    round_with(place)
    cosigned = Cosignature.objects.get(checkpoint__organisation=committed_world.organisation)
    assert cosigned.checkpoint.size == row(committed_world).size
    assert not own[0].exists()
    checked = verdict(committed_world, witness)
    assert checked.faults == []
    last = cosigned.checkpoint.size
    assert checked.late == [f"event {last + 1} is not witnessed by witness.example/w1 yet"]
    assert verdict(committed_world, witness, strict=True).faults[0].startswith(f"events {last + 1} to")


def test_a_folder_that_nobody_may_clear_does_no_harm(
    committed_world: World, witness: WitnessState, tmp_path: Path
) -> None:
    """What could not be removed is put back, as on a share that keeps everything."""
    drop = tmp_path / "share"
    drop.mkdir()
    place = WitnessPlace(witness.key, drop=drop)
    kept: dict[str, bytes] = {}
    for _ in range(3):
        write(committed_world, 3)
        for _ in range(3):
            due_now()
            round_with(place)
            kept |= {path.name: path.read_bytes() for path in drop.iterdir()}
            for name, data in kept.items():
                (drop / name).write_bytes(data)
            answer_all(drop, witness.key.key_id, lambda data: witness.answer(data, 1_800_000_000))
    assert committed_world.organisation not in unsealed()
    assert (
        row(committed_world).size
        == Checkpoint.objects.filter(organisation=committed_world.organisation)
        .order_by("-size")
        .values_list("size", flat=True)
        .first()
    )
    assert witness.caught() == []


@pytest.mark.parametrize("data", [b"200\nnonsense\n", b"\xff" * 100, b"409\n1\n", b"", b"200\n" + b"x" * 70_000])
def test_strange_answers_in_a_folder_stop_nothing(
    committed_world: World, witness: WitnessState, tmp_path: Path, data: bytes
) -> None:
    place = WitnessPlace(witness.key, drop=tmp_path)
    origin = Seal().origin(committed_world.organisation)
    for size in (1, 100_000, 2**63 - 1, 10**19 - 1):
        (tmp_path / answer_name(request_name(origin, 0, size), witness.key.key_id)).write_bytes(data)
    round_with(place)
    due_now()
    round_with(place)
    assert not Cosignature.objects.exists()
    newest = Checkpoint.objects.filter(organisation=committed_world.organisation).order_by("-size")[0]
    assert (tmp_path / request_name(origin, 0, newest.size)).exists()


def test_a_witness_that_disagrees_by_folder_stays_heard(
    committed_world: World, witness: WitnessState, tmp_path: Path
) -> None:
    place = WitnessPlace(witness.key, drop=tmp_path)
    round_with(place)
    origin = Seal().origin(committed_world.organisation)
    newest = Checkpoint.objects.filter(organisation=committed_world.organisation).order_by("-size")[0]
    asked = request_name(origin, 0, newest.size)
    (tmp_path / answer_name(asked, witness.key.key_id)).write_bytes(b"409\n100000\n")
    for _ in range(3):
        due_now()
        round_with(place)
    assert "was this database put back?" in row(committed_world).error
    told = Event.objects.filter(organisation=committed_world.organisation, code="audit.witness.disagreed")
    assert told.count() == 1


# -- over HTTP ------------------------------------------------------------------------------------------------------


@contextmanager
def listener(answer: Callable[[bytes], bytes], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """One witness of any manners: whatever it is sent, it answers with these bytes and hangs up."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                peer, _ = server.accept()
            except TimeoutError:
                continue
            peer.settimeout(20)
            with suppress(OSError), tls.wrap_socket(peer, server_side=True) if tls else peer as spoken:
                received = spoken.recv(65536)
                while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < _length(received):
                    received += spoken.recv(65536)
                spoken.sendall(answer(received.partition(b"\r\n\r\n")[2]))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{server.getsockname()[1]}"
    finally:
        over.set()
        thread.join(15)
        server.close()


def _length(received: bytes) -> int:
    return int(received.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


def http(status: int, body: str, *more: str) -> bytes:
    data = body.encode()
    head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}", *more, "", ""]
    return "\r\n".join(head).encode() + data


def test_an_honest_witness_is_asked_from_where_it_stands(committed_world: World, witness: WitnessState) -> None:
    def answer(data: bytes) -> bytes:
        given = witness.answer(data, 1_800_000_000)
        return http(given.status, given.body)

    with listener(answer) as url:
        place = WitnessPlace(witness.key, url=url)
        round_with(place)
        first = row(committed_world).size
        size = write(committed_world, 300)
        Witnessed.objects.update(size=0)  # an older backup of this row: the witness says where it stands
        due_now()
        round_with(place)
    assert (first < size, row(committed_world).size, row(committed_world).error) == (True, size, "")
    assert witness.caught() == []
    assert verdict(committed_world, witness).faults == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: b"nonsense", "no HTTP"),
        (lambda _: b"", "no HTTP"),
        (lambda _: http(200, "nonsense\n"), "its answer is none"),
        (lambda _: http(200, ""), "its answer is none"),
        (lambda _: http(200, "x" * 70_000), "more than"),
        (lambda _: http(302, "", "Location: http://127.0.0.1:1/"), "refuses with 302"),
        (lambda _: http(409, "9999999999999\n"), "another history"),
        (lambda _: http(409, "1\n"), "another history"),
        (lambda _: http(409, "words\n"), "its answer is none"),
        (lambda _: http(404, "unknown\x1b[31m\n"), "refuses with 404"),
        (lambda _: http(200, cosigned_by_another()), "no signature of"),
    ],
)
def test_a_hostile_witness_is_only_noted(
    committed_world: World, witness: WitnessState, answer: Callable[[bytes], bytes], said: str
) -> None:
    with listener(answer) as url:
        place = WitnessPlace(witness.key, url=url)
        round_with(place)
    assert said in row(committed_world).error
    assert "\x1b" not in row(committed_world).error
    assert not Cosignature.objects.exists()
    assert next_at(committed_world) > timezone.now()
    before = Checkpoint.objects.count()
    write(committed_world)
    assert Checkpoint.objects.count() > before


def test_only_a_certificate_of_a_known_authority_is_spoken_to(
    committed_world: World, witness: WitnessState, tmp_path: Path
) -> None:
    made = console_context(ServerSettings(state=tmp_path, public_url="https://localhost"))

    def answer(data: bytes) -> bytes:
        return http(200, witness.answer(data, 1_800_000_000).body)

    with listener(answer, made) as url:
        place = WitnessPlace(witness.key, url=url)
        round_with(place)
        assert "CERTIFICATE_VERIFY_FAILED" in row(committed_world).error
        assert witness.watched()[0].size == 0
        due_now()
        known = authorities(tmp_path / "console" / "certificate.pem")
        async_to_sync(Witnessing([place], known).round)(place)
        assert (row(committed_world).error, row(committed_world).size > 0) == ("", True)


@pytest.mark.slow
def test_a_witness_that_says_nothing_is_left_in_time(committed_world: World, witness: WitnessState) -> None:
    over = threading.Event()

    def never(_: bytes) -> bytes:
        over.wait(60)
        return b""

    with listener(never) as url:
        place = WitnessPlace(witness.key, url=url)
        try:
            round_with(place)
        finally:
            over.set()
    assert "no answer within 15 s" in row(committed_world).error


def cosigned_by_another() -> str:
    from portineria.ledger.note import cosign

    return cosign("x\n", "witness.example/w1", OTHER, 1).line()


def test_a_witness_that_is_away_is_asked_later_and_later(committed_world: World, witness: WitnessState) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    place = WitnessPlace(witness.key, url=f"http://127.0.0.1:{port}")
    waits = []
    for _ in range(3):
        due_now()
        round_with(place)
        waits.append(next_at(committed_world) - timezone.now())
    assert "cannot be reached" in row(committed_world).error
    assert waits == sorted(waits)
    assert row(committed_world).failures == 3
    assert committed_world.organisation not in cosigning.waiting(witness.key, timezone.now())


def test_a_database_that_was_put_back_is_told_so_by_the_witness(committed_world: World, witness: WitnessState) -> None:
    with listener(lambda data: http(409, "100000\n")) as url:
        round_with(WitnessPlace(witness.key, url=url))
        due_now()
        round_with(WitnessPlace(witness.key, url=url))
    assert "was this database put back?" in row(committed_world).error
    told = Event.objects.filter(organisation=committed_world.organisation, code="audit.witness.disagreed")
    assert told.count() == 1


# -- we as a witness ------------------------------------------------------------------------------------------------


def post(data: bytes) -> Any:
    return Client(HTTP_HOST="localhost", enforce_csrf_checks=True).post(
        "/witness/add-checkpoint", data, content_type="text/plain"
    )


def test_this_installation_answers_as_a_witness(committed_world: World) -> None:
    assert post(HONEST.request(0, 8)).status_code == 404
    watch(ORIGIN, TRUSTED[0])
    watch(ORIGIN, TRUSTED[0])
    assert Watched.objects.count() == 1
    assert post(b"nonsense").status_code == 400
    assert post(HONEST.request(0, 8, OTHER)).status_code == 403
    first = post(HONEST.request(0, 8))
    assert first.status_code == 200
    assert cosignature_in(first.content.decode(), read_request(HONEST.request(0, 8)).note, Cosigner().key)
    behind = post(HONEST.request(0, 20))
    assert (behind.status_code, behind.content, behind["Content-Type"]) == (409, b"8\n", "text/x.tlog.size")
    assert post(HONEST.request(8, 20)).status_code == 200
    assert post(FORGED.request(20, 40)).status_code == 422
    for _ in range(2):
        assert post(FORGED.request(20, 20)).status_code == 409
    assert [fault.kind for fault in watching.caught()] == [Evidence.UNPROVEN, Evidence.CONTRADICTION]
    assert Event.objects.filter(code="audit.watched.caught").count() == 2
    assert WatchedCheckpoint.objects.count() == 2
    assert Client(HTTP_HOST="localhost").get("/witness/add-checkpoint").status_code == 405
    assert post(b"x" * 70_000).status_code == 400


def test_the_key_that_cosigns_signs_nothing_else(committed_world: World) -> None:
    from portineria.control.identity import keys

    roles = {role: keys.signer(role).key.public_key().public_bytes_raw() for role in ("order", "checkpoint", "witness")}
    assert len(set(roles.values())) == 3
    assert Cosigner().key.key == roles["witness"]
    newest = read_checkpoint(Checkpoint.objects.order_by("-size")[0].note)[0] if Checkpoint.objects.exists() else None
    assert newest is None or all(signature.name != Cosigner().key.name for signature in newest.signatures)
