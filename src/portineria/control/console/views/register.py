# SPDX-License-Identifier: Apache-2.0
"""A register as a file: taken out, and checked again wherever it comes from."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from portineria.control.console import uploads
from portineria.control.console.page import attempt, page
from portineria.control.console.register_forms import CheckForm, ExportForm
from portineria.control.console.register_keys import own_registers
from portineria.control.estate.introduction import root_fingerprint
from portineria.control.identity import register
from portineria.control.identity.models import Person
from portineria.control.identity.reading import note_checked
from portineria.control.settings.start import current

_TOGETHER = 500  # lines in memory: 1 KB each


def _shown(
    request: HttpRequest, actor: Person, *, form: CheckForm | None = None, export: ExportForm | None = None,
    found: uploads.Checked | None = None,
) -> HttpResponse:  # fmt: skip
    context = {
        "form": form or CheckForm(), "export": export or ExportForm(), "registers": own_registers(actor),
        "most": current().upload_mib, "found": found, "seen": found.verdict.seen.items() if found else (),
        "verify_command": f'portineria ledger verify FILE --root "{root_fingerprint()}"',
    }  # fmt: skip
    failed = bool(export and export.errors)
    return render(request, "console/check.html", context, status=422 if failed else 200)


@require_POST
@page
def export(request: HttpRequest, actor: Person) -> HttpResponseBase:
    form = ExportForm(request.POST)
    lines: list[Iterator[bytes]] = []
    if not form.is_valid() or not attempt(
        form, lambda: lines.append(register.export_register(actor=actor, **form.cleaned_data))
    ):  # fmt: skip
        return _shown(request, actor, export=form)
    response = StreamingHttpResponse(_parts(lines[0]), content_type="application/jsonl")
    name = f"portineria-register-{timezone.localdate():%Y-%m-%d}.jsonl"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


async def _parts(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    while part := await sync_to_async(_part)(lines):
        yield part


def _part(lines: Iterator[bytes]) -> bytes:
    return b"".join(islice(lines, _TOGETHER))


@page
def check(request: HttpRequest, actor: Person) -> HttpResponse:
    form = CheckForm(request.POST, request.FILES) if request.method == "POST" else CheckForm()
    found: list[uploads.Checked] = []
    if form.is_valid() and attempt(
        form, lambda: found.append(uploads.check(actor, form.cleaned_data["file"].file, form.trust()))
    ):  # fmt: skip
        note_checked(actor=actor, verdict=found[0].verdict)
    return _shown(request, actor, form=form, found=found[0] if found else None)
