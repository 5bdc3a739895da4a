# SPDX-License-Identifier: Apache-2.0
"""Reading and writing the thread of a job: whoever sees the request, and nobody else.

A file is taken for what its bytes are, never for what its name says, and leaves only as an attachment.
"""

import hashlib
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from portineria.control.access.job import FILE_BYTES, FILE_NAME, TEXT_CHARACTERS, EntryKind, JobEntry
from portineria.control.access.models import AccessRequest, Approval
from portineria.control.access.queries import request as seen_request
from portineria.control.audit.services import record
from portineria.control.identity.authority import require, works_here
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Membership, Person
from portineria.control.identity.services import BadField
from portineria.core.errors import Conflict, NotFound

MOST_ENTRIES = 200  # of one job
MOST_BYTES = 10 * 1024 * 1024  # of its files together


class JobFull(Conflict):
    code = "access.job.full"


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content: bytes


def job_of(row: AccessRequest) -> str:
    return row.bundle or row.public_id


def entries(actor: Person, request: str) -> "QuerySet[JobEntry]":
    """The oldest first, without the files' content. Raise NotFound."""
    return entries_of(seen_request(actor, request))


def entries_of(row: AccessRequest) -> "QuerySet[JobEntry]":
    """Likewise; the caller has established that the request is visible."""
    found = JobEntry.objects.filter(job=job_of(row), organisation=row.organisation_id)
    return found.select_related("author", "to").defer("content").order_by("pk")


def file_of(actor: Person, request: str, entry: str) -> JobEntry:
    """Raise NotFound."""
    found = entries(actor, request).defer(None).exclude(file_name="").filter(public_id=entry).first()
    if found is None:
        raise NotFound(f"file of {entry}")
    return found


@transaction.atomic
def take_file(*, actor: Person, request: str, entry: str) -> JobEntry:
    """Raise NotFound. That it was taken is in the register."""
    row, found = seen_request(actor, request), file_of(actor, request, entry)
    record(
        "access.job.file-read", organisation=row.organisation.public_id, actor=actor.public_id,
        request=row.public_id, machine=row.machine.public_id, person=row.person.public_id, entry=entry, job=found.job,
    )  # fmt: skip
    return found


def parties(actor: Person, row: AccessRequest) -> list[Person]:
    """Whom the actor may hand over to: who asked, who wrote here, who decided or answers for the machine; for the
    owner's people also their own.
    """
    people, there = Person.objects.get_queryset(), {"organisation": row.organisation_id}
    known = [row.person_id, row.machine.answering_id, row.machine.deputy_id]
    named = people.filter(pk__in=[pk for pk in known if pk is not None])
    keys = [
        Approval.objects.filter(request=row).order_by().values("decided_by"),
        JobEntry.objects.filter(job=job_of(row), **there).order_by().values("author"),
    ]
    if row.organisation_id in actor.staff_of:
        staff = Membership.objects.filter(organisation__in=actor.staff_of, **there)
        keys.append(staff.exclude(role__in=("technician", "analyst")).order_by().values("person"))
    # One list of keys: of conditions side by side the database would try everybody.
    found = people.filter(pk__in=named.order_by().values("pk").union(*keys), disabled_at__isnull=True)
    return list(found.exclude(pk=actor.pk).order_by("name", "pk"))


@transaction.atomic
def write(*, actor: Person, request: str, text: str = "", file: File | None = None, to: str = "") -> JobEntry:
    """``to``: to whom the work is handed over. Raise NotFound, BadField, JobFull."""
    row = seen_request(actor, request)
    if actor.principal is not None:
        require(actor, row.organisation_id, works_here, Power.DECIDE)
    text = "\n".join(line.strip() for line in text.strip().splitlines())
    if len(text) > TEXT_CHARACTERS or not (text or file) or not text.replace("\n", "").isprintable():
        raise BadField("text", f"1 to {TEXT_CHARACTERS} printable characters")
    receiver = _receiver(actor, row, to)
    made = JobEntry(
        organisation=row.organisation, job=job_of(row), author=actor, text=text, to=receiver,
        kind=EntryKind.HANDOVER if receiver else EntryKind.NOTE,
    )  # fmt: skip
    if file is not None:
        made.file_kind, made.file_name = kind_of(file.content), _name(file.name)
        made.content = file.content
    _keep_small(row, made)
    made.save()
    record(
        "access.job.written", organisation=row.organisation.public_id, actor=actor.public_id, request=row.public_id,
        machine=row.machine.public_id, person=row.person.public_id, entry=made.public_id, job=made.job,
        to=receiver.public_id if receiver else "",
        content_sha256=hashlib.sha256(made.content).hexdigest() if file is not None else "",
    )  # fmt: skip
    return made


def _receiver(actor: Person, row: AccessRequest, to: str) -> Person | None:
    if not to:
        return None
    found = next((person for person in parties(actor, row) if person.public_id == to), None)
    if found is None:
        raise BadField("to", "somebody who sees this request")
    return found


def _keep_small(row: AccessRequest, made: JobEntry) -> None:
    """One after the other, or two would not see each other."""
    AccessRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=row.pk)
    kept = JobEntry.objects.filter(job=made.job, organisation=row.organisation_id)
    held = sum(len(content) for content in kept.exclude(file_name="").values_list("content", flat=True))
    if kept.count() >= MOST_ENTRIES or held + len(made.content) > MOST_BYTES:
        raise JobFull(f"job {made.job} has {MOST_ENTRIES} entries or {MOST_BYTES} bytes")


_BEGINNINGS = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "pdf": b"%PDF-"}


def kind_of(content: bytes) -> str:
    """png, jpg, pdf or txt, by its bytes. Raise BadField."""
    if not 0 < len(content) <= FILE_BYTES:
        raise BadField("file", "1 byte to 1 MiB")
    for kind, beginning in _BEGINNINGS.items():
        if content.startswith(beginning):
            return kind
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadField("file", "a picture, a PDF or plain text") from error
    if not all(symbol.isprintable() or symbol in "\r\n\t\ufeff" for symbol in text):
        raise BadField("file", "a picture, a PDF or plain text")
    return "txt"


def _name(given: str) -> str:
    """Its last part, printable; what kind of file it is its bytes have said."""
    last = given.replace("\\", "/").rpartition("/")[2]
    name = "".join(symbol for symbol in last if symbol.isprintable() and symbol not in '"<>:|?*').strip(" .")
    return name[-FILE_NAME:] or "file"
