# SPDX-License-Identifier: Apache-2.0
"""Notes, small files and hand-overs about the work of a request: for whoever sees it, and as data only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import bundles, jobs
from portineria.control.access.job import FILE_BYTES, JobEntry
from portineria.control.access.jobs import File, JobFull
from portineria.control.audit.models import Event
from portineria.control.body_limit import JOB_BYTES, LIMIT_BYTES, _limits
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.control.notification import collecting, queries
from portineria.core.errors import NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.test_bundles import two_machines
from tests.integration.control.test_notifications import nothing_new
from tests.integration.control.world import World

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def told(person: Person) -> list[str]:
    return [row.code for row in queries.notifications(person).order_by("pk")]


def test_both_sides_write_and_hear_of_it_and_nobody_else_sees_it(world: World) -> None:
    request = world.request()
    nothing_new(world)
    jobs.write(actor=world.technician, request=request, text="Belt is here.\n\nTools too.")
    made = jobs.write(actor=world.owner, request=request, text="Late shift takes it", to=world.operator.public_id)
    for other in (world.rival, world.stranger):
        for act in (
            lambda who=other: jobs.write(actor=who, request=request, text="x"),
            lambda who=other: jobs.entries(who, request),
        ):
            with pytest.raises(NotFound):
                act()
    assert [entry.text for entry in jobs.entries(world.technician, request)] == [
        "Belt is here.\n\nTools too.", "Late shift takes it",
    ]  # fmt: skip
    assert (made.kind, made.to) == ("handover", world.operator)
    collecting.collect(world.organisation, timezone.now(), mail=False)
    assert [told(who) for who in (world.technician, world.operator, world.approver)] == [
        ["access.job.written"], ["access.job.written"], [],
    ]  # fmt: skip
    with pytest.raises(BadField):
        jobs.write(actor=world.technician, request=request, text="yours", to=world.operator.public_id)
    for wrong in ("", "  ", "x" * 2001, "\u202eevil", "a\x00b"):
        with pytest.raises(BadField):
            jobs.write(actor=world.owner, request=request, text=wrong)
    for change in ({"to": None}, {"text": "", "file_name": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            JobEntry.objects.filter(pk=made.pk).update(**change)


def test_requests_of_one_bundle_share_what_is_written(world: World) -> None:
    first, second = two_machines(world)
    rows = bundles.make_requests(
        actor=world.technician, machines=[first.public_id, second.public_id], reason="x", minutes=30
    )
    jobs.write(actor=world.owner, request=rows[0].public_id, text="one key for both")
    assert [entry.text for entry in jobs.entries(world.technician, rows[1].public_id)] == ["one key for both"]


FILES = {"png": PNG, "jpg": b"\xff\xd8\xff\xe0x", "pdf": b"%PDF-1.7\n", "txt": "Öl 46\r\n".encode()}


@pytest.mark.sqlite
def test_a_file_is_what_its_bytes_are_and_leaves_as_an_attachment(world: World) -> None:
    request, technician, owner = world.request(), signed_in(world.technician), signed_in(world.owner)
    others = [signed_in(who) for who in (world.rival, world.stranger)]
    for kind, content in FILES.items():
        sent = SimpleUploadedFile('..\\..\\evil"<b>.html', content, content_type="text/html")
        assert technician.post(f"/requests/{request}/write/", {"text": "", "file": sent}).status_code == 302
        entry = JobEntry.objects.latest("pk")
        assert (entry.file_kind, entry.file_name) == (kind, "evilb.html")
        address = f"/requests/{request}/files/{entry.public_id}/"
        answer = owner.get(address)
        assert answer.content == content
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{entry.public_id}.{kind}"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert address in shown(owner, f"/requests/{request}/")
    assert Event.objects.latest("pk").code == "access.job.file-read"
    for other in others:
        assert other.get(address).status_code == 404
        assert other.post(f"/requests/{request}/write/", {"text": "x"}).status_code == 404


STRANGE = [b"MZ\x90\x00", b"PK\x03\x04", b"<svg>\x00", "\u202etxt".encode(), b"\xff\xfe", bytes(FILE_BYTES + 1)]


@pytest.mark.sqlite
def test_other_files_and_larger_ones_are_refused_in_words(world: World) -> None:
    request, technician = world.request(), signed_in(world.technician)
    for content in (b"", *STRANGE):
        with pytest.raises(BadField):
            jobs.write(actor=world.technician, request=request, file=File("x.png", content))
    for content in STRANGE[-2:]:
        sent = {"text": "kept", "file": SimpleUploadedFile("x", content)}
        answer = technician.post(f"/requests/{request}/write/", sent)
        assert "at most 1 MiB" in answer.content.decode()
        assert "kept" in answer.content.decode()
    assert not JobEntry.objects.exists()


@pytest.mark.sqlite
def test_what_markup_says_is_shown_as_it_was_written(world: World) -> None:
    request = world.request()
    jobs.write(actor=world.technician, request=request, text="<script>alert(1)</script> {{ x }}")
    page = shown(signed_in(world.owner), f"/requests/{request}/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ x }}" in page
    assert "<script>alert" not in page


def test_a_job_has_an_end_of_its_room(world: World) -> None:
    request = world.request()
    row = jobs.write(actor=world.owner, request=request, text="x")
    JobEntry.objects.bulk_create(
        JobEntry(organisation=row.organisation, job=row.job, author=world.owner, kind="note", text="x")
        for _ in range(jobs.MOST_ENTRIES - 1)
    )
    with pytest.raises(JobFull):
        jobs.write(actor=world.owner, request=request, text="x")
    JobEntry.objects.exclude(pk=row.pk).delete()
    for number in range(10):
        JobEntry.objects.create(
            organisation=row.organisation, job=row.job, author=world.owner, kind="note", file_name=f"{number}.png",
            file_kind="png", content=bytes(FILE_BYTES), at=timezone.now() - timedelta(days=1),
        )  # fmt: skip
    with pytest.raises(JobFull):
        jobs.write(actor=world.owner, request=request, file=File("x", PNG))
    jobs.write(actor=world.owner, request=request, text="a note still fits")


@pytest.mark.sqlite
async def test_only_whoever_is_signed_in_may_send_a_body_of_that_size(db: None) -> None:
    def scope(path: str, size: int) -> dict[str, Any]:
        return {"path": path, "method": "POST", "headers": [(b"content-length", str(size).encode())]}

    for path in ("/requests/req_a/write/", "/requests/req_a/approve/", "/requests/../write/"):
        assert (await _limits(scope(path, JOB_BYTES)))[0] == LIMIT_BYTES
