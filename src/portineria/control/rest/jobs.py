# SPDX-License-Identifier: Apache-2.0
"""One piece of work: asked for on several machines together, and the thread of what is written about it."""

import base64
import binascii
from datetime import date, datetime
from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import AwareDatetime, Field

from portineria.control.access import bundles, queries
from portineria.control.access import jobs as services
from portineria.control.access.bundles import MOST_MACHINES
from portineria.control.access.job import FILE_NAME, TEXT_CHARACTERS, JobEntry
from portineria.control.access.profiles import MARK_CHARACTERS
from portineria.control.identity.services import BadField
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, MaybeReason, acts, reads, tries
from portineria.control.rest.requests import Minutes, RequestView, request_shown

router = Router(tags=["requests"])
_FILE_CHARACTERS = 60_000  # 45 kB: what a body may be (body_limit), less the text


class Requests(Schema):
    items: list[RequestView]


class NewJob(Given):
    machines: list[Annotated[str, Field(max_length=200)]] = Field(min_length=1, max_length=MOST_MACHINES)
    reason: str = Field(max_length=1000)
    minutes: Minutes = Field(default=60, description="Says nothing beside `weekly`.")
    starts_at: AwareDatetime | None = None
    weekly: str = Field(
        default="",
        max_length=200,
        description="The same hours of every week, by the plant's clock: Tue,Thu 14:00-16:00.",
    )
    until: date | None = Field(default=None, description="The last day of that.")
    reference: str = Field(default="", max_length=200)
    listed_reason: str = Field(default="", max_length=200, description="One of the list that counts there.")


@acts(router, "/jobs", Requests, Scope.ASK)
def job_ask(request: HttpRequest, given: NewJob) -> Requests:
    """One request for each machine, all or none; they share a thread, and may be approved together."""
    actor = person_of(request)
    made = bundles.make_requests(actor=actor, **dict(given))
    return Requests(items=[request_shown(actor, row.public_id) for row in made])


class ApprovalOfAll(MaybeReason):
    """``seen``: the `profile` of each request that is meant, by its id; a yes to another one counts for nothing."""

    seen: dict[Annotated[str, Field(max_length=24)], Annotated[str, Field(max_length=MARK_CHARACTERS)]] = Field(
        max_length=MOST_MACHINES
    )
    minutes: Minutes | None = None


@acts(router, "/requests/{request_id}/approve-all", Requests, Scope.APPROVE)
def requests_approve(request: HttpRequest, request_id: Id, given: ApprovalOfAll) -> Requests:
    """One yes to each of those that were asked for together with this one and are named, or to none of them."""
    actor = person_of(request)
    bundle = queries.request(actor, request_id).bundle
    rows = bundles.agree_to_all(actor=actor, bundle=bundle, seen=given.seen, reason=given.reason, minutes=given.minutes)
    return Requests(items=[request_shown(actor, row.public_id) for row in rows])


class EntryView(Schema):
    """``to``: to whom the work was handed over. ``file``: its name; ``file_kind``: by its bytes."""

    entry: str
    author: str
    author_name: str
    at: datetime
    kind: str
    to: str | None
    text: str
    file: str
    file_kind: str


def _entry(row: JobEntry) -> EntryView:
    return EntryView(
        entry=row.public_id, author=row.author.public_id, author_name=row.author.name, at=row.at, kind=row.kind,
        to=row.to.public_id if row.to else None, text=row.text, file=row.file_name, file_kind=row.file_kind,
    )  # fmt: skip


@reads(router, "/requests/{request_id}/job", Leaf[EntryView])
def job(request: HttpRequest, request_id: Id, place: Where) -> Leaf[EntryView]:
    """The oldest first: for whoever sees the request."""
    actor = person_of(request)
    row = queries.request(actor, request_id)
    found = services.entries(actor, row.public_id)
    return leaf(actor, f"job of {row.pk}", found, place, lambda rows: [_entry(one) for one in rows])


class NewFile(Given):
    """A picture, a PDF or plain text; what it is its bytes say, never its name."""

    name: str = Field(min_length=1, max_length=FILE_NAME * 4)
    base64: str = Field(min_length=1, max_length=_FILE_CHARACTERS, description="Of a larger file: in the console.")

    def taken(self) -> services.File:
        """Raise BadField."""
        try:
            return services.File(self.name, base64.b64decode(self.base64, validate=True))
        except binascii.Error as error:
            raise BadField("file", "base64") from error


class NewEntry(Given):
    """A text, which may be empty where there is a file. ``to``: id of whom the work is handed over to."""

    text: str = Field(max_length=TEXT_CHARACTERS)
    to: str = Field(default="", max_length=24)
    file: NewFile | None = None


@acts(router, "/requests/{request_id}/job", EntryView, Scope.ASK)
def job_write(request: HttpRequest, request_id: Id, given: NewEntry) -> EntryView:
    actor = person_of(request)
    queries.request(actor, request_id)
    file = given.file.taken() if given.file else None
    made = services.write(actor=actor, request=request_id, text=given.text, file=file, to=given.to)
    return _entry(made)


class FileView(Schema):
    entry: str
    name: str
    kind: Literal["png", "jpg", "pdf", "txt"]
    base64: str


@tries(router, "/requests/{request_id}/files/{entry}", FileView, Scope.READ)
def job_file(request: HttpRequest, request_id: Id, entry: Id) -> FileView:
    """That it was taken is in the register, each time: no key keeps its answer."""
    row = services.take_file(actor=person_of(request), request=request_id, entry=entry)
    return FileView(
        entry=row.public_id, name=row.file_name, kind=row.file_kind,  # type: ignore[arg-type]  # by ``jobs.kind_of``
        base64=base64.b64encode(bytes(row.content)).decode(),
    )  # fmt: skip
