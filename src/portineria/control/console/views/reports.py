# SPDX-License-Identifier: Apache-2.0
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.http import require_POST

from portineria.control.console.evidence import bundle
from portineria.control.console.evidence_api import answered
from portineria.control.console.forms import RemarksForm, SignForm
from portineria.control.console.page import attempt, page
from portineria.control.console.report_sections import sections
from portineria.control.console.work_report import WorkReport, report_of
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import service_report
from portineria.core.errors import NotFound


@page
def report(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    found = report_of(actor, public_id)
    seen = {"remarks": found.state.own_remarks, "text_sha256": found.state.sha256}
    form = RemarksForm(request.POST or None, initial=seen)
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: service_report.remark(actor=actor, session=public_id, **form.cleaned_data)
    ):  # fmt: skip
        return redirect("console:report", public_id)
    # After what was refused it is read anew: that may be because it says something else by now.
    return _shown(request, actor, form, found if request.method == "GET" else report_of(actor, public_id))


@require_POST
@page
def sign(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    form = SignForm(request.POST)
    if form.is_valid() and attempt(
        form, lambda: service_report.sign(actor=actor, session=public_id, **form.cleaned_data)
    ):
        return redirect("console:report", public_id)
    return _shown(request, actor, form, report_of(actor, public_id))


def _shown(request: HttpRequest, actor: Person, form: RemarksForm | SignForm, found: WorkReport) -> HttpResponse:
    seen = {"remarks": found.state.own_remarks, "text_sha256": found.state.sha256}
    context = {
        "report": found, "seen": found.seen, "state": found.state, "sections": sections(found, actor),
        "faults": form, "form": form if isinstance(form, RemarksForm) else RemarksForm(initial=seen),
        "languages": settings.LANGUAGES,
    }  # fmt: skip
    return render(request, "console/report.html", context)


@page
def pdf(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """Whoever reads it elsewhere may read another language than whoever prints it."""
    language = request.GET.get("language", translation.get_language() or "en")
    if language not in dict(settings.LANGUAGES):
        raise NotFound(f"a report in {language[:20]!r}")
    # Loaded here: what makes PDFs is a tenth of what every process would load when it starts.
    from portineria.control.console.report_pdf import report_pdf

    with translation.override(language):
        found = report_of(actor, public_id)
        content = report_pdf(found.session.public_id, sections(found, actor))
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{found.session.public_id}.{language}.pdf"'
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@page
def evidence(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return answered(bundle(actor=actor, session=public_id))
