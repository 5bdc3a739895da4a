# SPDX-License-Identifier: Apache-2.0
"""One event with its proof, the register as a file, and files that are checked: ours, others' and hostile ones."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from portineria.control.audit.models import Checkpoint, Event
from portineria.control.console import uploads
from portineria.control.console.event_proof import steps
from portineria.control.identity.models import Person
from portineria.control.identity.register import Seal, export_register, prove_event, seal_to_the_end, signers_here
from portineria.ledger.merkle import node_hash
from portineria.ledger.trust import Trust
from portineria.ledger.verification import verify
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World
from tests.unit.ledger.register import sealed

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address


def proof_of(world: World, seq: int) -> bytes:
    return prove_event(actor=world.owner, organisation=world.organisation, seq=seq)


def exported(world: World) -> bytes:
    return b"".join(export_register(actor=world.owner, organisation=world.organisation))


def checked(person: Person, data: bytes, name: str = "file", **more: str) -> str:
    answer = signed_in(person).post("/events/check/", {"file": SimpleUploadedFile(name, data), **more})
    assert answer.status_code == 200
    return answer.content.decode()


# -- one event -----------------------------------------------------------------------------------------------------


def test_an_event_is_shown_with_its_place_in_the_tree_and_checked_on_the_spot(world: World) -> None:
    seal_to_the_end(world.organisation)
    page = shown(signed_in(world.owner), f"/events/{world.organisation}/5/")
    event = Event.objects.get(organisation=world.organisation, seq=5)
    newest = Checkpoint.objects.get(organisation=world.organisation)
    for said in (
        "checked: it fits",
        bytes(event.leaf_sha256).hex(),
        bytes(newest.root).hex(),
        "portineria ledger verify",
    ):
        assert said in page
    Event.objects.filter(pk=event.pk).update(leaf=bytes(event.leaf).replace(b"{", b"{ ", 1))
    page = shown(signed_in(world.owner), f"/events/{world.organisation}/5/")
    assert "does not fit" in page
    assert "does not lead to the root" in page


def test_an_event_that_is_not_sealed_yet_says_so(world: World) -> None:
    page = shown(signed_in(world.owner), f"/events/{world.organisation}/5/")
    assert "not sealed yet" in page
    assert "Download the proof" not in page


def test_the_picture_joins_to_the_root_that_was_signed() -> None:
    for size in range(1, 40):
        leaves = [bytes([number]) * 32 for number in range(size)]
        for index in range(size):
            path = [root_of(leaves[first:last]) for first, last in siblings(index, 0, size)]
            shown_steps, node = steps(index, size, path), leaves[index]
            for step, digest in zip(shown_steps, path, strict=True):
                assert root_of(leaves[step.first - 1 : step.last]) == digest
                node = node_hash(digest, node) if step.left else node_hash(node, digest)
            assert node == root_of(leaves)


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(root_of(leaves[:middle]), root_of(leaves[middle:]))


def siblings(index: int, start: int, end: int) -> list[tuple[int, int]]:
    if end - start == 1:
        return []
    middle = start + (1 << ((end - start - 1).bit_length() - 1))
    if index < middle:
        return [*siblings(index, start, middle), (middle, end)]
    return [*siblings(index, middle, end), (start, middle)]


def test_the_proof_that_is_downloaded_verifies_elsewhere(world: World) -> None:
    answer = signed_in(world.owner).post(f"/events/{world.organisation}/5/proof/")
    assert "attachment" in answer.headers["Content-Disposition"]
    root = signers_here(world.organisation).root_sha256
    assert verify([answer.content], Trust(root_sha256=root)).faults == []
    assert Event.objects.filter(code="audit.event.proven", actor=world.owner.public_id).count() == 1


def test_taking_out_needs_a_form_of_ours(world: World) -> None:
    strict = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
    strict.force_login(world.owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    before = Event.objects.count()
    for address in (f"/events/{world.organisation}/5/proof/", "/events/export/", "/events/check/"):
        assert strict.post(address, {"organisation": world.organisation, "first": 1}).status_code == 403
    assert Event.objects.count() == before


# -- the whole register --------------------------------------------------------------------------------------------


async def _whole(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in content])


@pytest.mark.django_db(transaction=True)
def test_the_register_is_exported_as_a_file_and_only_to_who_reads_it(committed_world: World) -> None:
    world = committed_world
    asked = {"organisation": world.organisation, "first": 3}
    answer: Any = signed_in(world.owner).post("/events/export/", asked)
    lines = asyncio.run(_whole(answer.streaming_content)).splitlines(keepends=True)
    verdict = verify(lines, Trust(root_sha256=signers_here(world.organisation).root_sha256))
    assert (verdict.faults, verdict.first) == ([], 3)
    for who in (world.technician, world.stranger):
        assert signed_in(who).post("/events/export/", asked).status_code == 404
    wrong = signed_in(world.owner).post("/events/export/", asked | {"first": 10_000})
    assert (wrong.status_code, b"Nothing was exported" in wrong.content) == (422, True)


# -- checking files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_file_of_ours_fits_and_is_compared_with_the_register_here(world: World, packed: bool) -> None:
    data = exported(world)
    page = checked(world.owner, gzip.compress(data) if packed else data)
    for said in ("The file fits.", "that of this installation", "has the same events at this place"):
        assert said in page
    [event] = Event.objects.filter(code="audit.export.checked")
    assert json.loads(bytes(event.leaf))["fields"]["faults"] == 0
    assert "The file fits." in checked(world.owner, proof_of(world, 5))


def test_whatever_was_changed_is_named(world: World) -> None:
    page = checked(world.owner, exported(world).replace(b"pla_", b"plb_", 1))
    assert "The file does not fit." in page
    assert "one of the two was changed" in page
    assert "The file does not fit." in checked(world.owner, proof_of(world, 5).replace(b"per_", b"pex_"))
    assert "it was cut off after event" in checked(world.owner, exported(world)[:-300])
    packed = gzip.compress(exported(world))
    for broken in (packed[:-40], packed[:200] + bytes(100) + packed[300:]):
        assert "The file does not fit." in checked(world.owner, broken)


def test_a_register_of_another_installation_is_checked_and_not_taken_for_ours(world: World) -> None:
    page = checked(world.owner, b"".join(sealed(9).export()))
    for said in ("The file fits.", "that of another installation"):
        assert said in page
    assert "The register here" not in page


def test_a_checkpoint_kept_elsewhere_and_a_witness_are_demanded(world: World) -> None:
    data = exported(world)
    note = Checkpoint.objects.latest("size").note
    assert "The file fits." in checked(world.owner, data, known=note.replace("\n", "\r\n").strip())
    exported(world)
    newer = Checkpoint.objects.latest("size").note
    assert "a checkpoint kept elsewhere names" in checked(world.owner, data, known=newer)
    key = str(Seal().key(world.organisation))
    assert "This is no checkpoint." in checked(world.owner, data, known="nonsense")
    assert "This is no key of a witness." in checked(world.owner, data, witness="nonsense")
    assert "The file fits." in checked(world.owner, data, witness=key)


HOSTILE = [
    b"", b"\x00" * 1000, b"{}", b"[" * 100_000, b"\xff\xfe", b"\x1f\x8b", b"\x1f\x8b" + bytes(100), b"\n" * 1000,
    b'{"is": "proof"}', b'{"is":"<script>alert(1)</script>"}', "\u202e{".encode(), b'"' + b"x" * (1 << 21) + b'"',
]  # fmt: skip


def test_whatever_else_is_sent_does_not_fit_and_says_nothing_of_its_own(world: World) -> None:
    for data in HOSTILE:
        page = checked(world.owner, data, name="<script>.jsonl")
        assert "The file does not fit." in page, data[:40]
        assert "<script>" not in page
        assert "\u202e" not in page


def test_what_the_file_says_is_written_down_and_never_obeyed(world: World) -> None:
    lines = exported(world).splitlines(keepends=True)
    header = json.loads(lines[0]) | {"organisation": "<script>alert(1)</script>\u202e"}
    page = checked(world.owner, b"".join([json.dumps(header).encode() + b"\n", *lines[1:]]))
    assert "The file does not fit." in page
    assert "<script>alert" not in page
    assert "and more" in page or page.count("<bdi>") <= 103


def test_a_file_that_unpacks_without_end_is_put_down(world: World) -> None:
    now = iter(range(1000))
    bomb = gzip.compress(sealed(9).export()[0] + b"\n" * 10_000_000)
    with pytest.raises(uploads.TooLong):
        uploads.check(world.owner, io.BytesIO(bomb), Trust(), clock=lambda: float(next(now)))


def test_one_file_is_checked_at_a_time(world: World) -> None:
    class Nested(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            with pytest.raises(uploads.Busy):
                uploads.check(world.owner, io.BytesIO(), Trust())
            return super().read(size)

    assert uploads.check(world.owner, Nested(b"x"), Trust()).faults
    assert uploads.check(world.owner, io.BytesIO(), Trust()).faults == ["the file is empty"]


# -- up to where it is signed for ----------------------------------------------------------------------------------


def test_the_page_says_up_to_where_it_is_sealed_and_alarms_when_it_is_not(world: World) -> None:
    seal_to_the_end(world.organisation)
    size = Checkpoint.objects.get(organisation=world.organisation).size
    browser = signed_in(world.owner)
    page = shown(browser, "/events/")
    assert f"Sealed up to event {size}" in page
    assert 'role="alert"' not in page
    assert "waits a moment for its seal" in page
    Event.objects.filter(seq__gt=size).update(at=timezone.now() - timedelta(seconds=11))
    assert "The register is not being sealed." in shown(browser, "/events/")
    Checkpoint.objects.update(size=size + 1000)
    assert "The register has fewer events than were signed." in shown(browser, "/events/")


# -- the way of a large file through the limit of bodies -----------------------------------------------------------


async def _sent(path: str, cookie: str, announced: int) -> int:
    from portineria.control.asgi import application

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
        "raw_path": path.encode(), "query_string": b"", "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), (b"content-length", str(announced).encode()),
                    (b"content-type", b"multipart/form-data; boundary=x"), (b"cookie", cookie.encode())],
    }  # fmt: skip
    said: list[Any] = []
    left = [announced]

    async def receive() -> dict[str, Any]:
        if not left[0]:
            await asyncio.Event().wait()  # the other side stays
        part = min(left[0], 65536)
        left[0] -= part
        return {"type": "http.request", "body": b"x" * part, "more_body": left[0] > 0}

    async def send(message: Any) -> None:
        said.append(message)

    await application(scope, receive, send)
    return cast(int, said[0]["status"])


@pytest.mark.django_db(transaction=True)
def test_only_who_is_signed_in_sends_more_than_a_form_and_only_there(committed_world: World) -> None:
    key = signed_in(committed_world.owner).cookies["sessionid"].value
    cookie, large, too_large = f"sessionid={key}", 1 << 20, (256 << 20) + 1
    for path, who, size, status in (
        ("/events/check/", cookie, large, 403),  # past the limit, and refused for want of a token against forgery
        ("/events/check/", cookie, too_large, 413),
        ("/events/check/", "", large, 413),
        ("/events/check/", "sessionid=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", large, 413),
        ("/events/", cookie, large, 413),
        ("/events/check/x", cookie, large, 413),
    ):
        assert asyncio.run(_sent(path, who, size)) == status, (path, who, size)
