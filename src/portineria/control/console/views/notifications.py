# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.console import notices
from portineria.control.console.notice_forms import ChoicesForm, WebhookForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.identity.models import Person
from portineria.control.notification import queries, services
from portineria.control.notification.models import Webhook
from portineria.control.notification.models import WebhookForm as Form
from portineria.control.settings.start import current


@page
def notifications(request: HttpRequest, actor: Person) -> HttpResponse:
    rows = notices.notices_leaf(actor, leaf(request, queries.notifications(actor)))
    return render(request, "console/notifications.html", {"rows": rows, "unread": queries.unread(actor).count()})


@page
def bell(request: HttpRequest, actor: Person) -> HttpResponse:
    """Both: in the head of a phone's page, and at the side of a wide one. No page waits for this count."""
    return render(request, "console/parts/bells.html", {"unread": queries.unread(actor).count()})


@page
def open_one(request: HttpRequest, actor: Person, notification: str) -> HttpResponse:
    return redirect(notices.path_of(services.read(actor=actor, notification=notification)))


@require_POST
@page
def read_all(request: HttpRequest, actor: Person) -> HttpResponse:
    services.read_all(actor=actor)
    return redirect("console:notifications")


@page
def choices(request: HttpRequest, actor: Person) -> HttpResponse:
    form = ChoicesForm(request.POST or None, chosen=queries.choices(actor))
    if form.is_valid() and attempt(form, lambda: services.choose(actor=actor, ways=form.ways())):
        messages.success(request, _("Saved."))
        return redirect("console:notification-choices")
    hooked = queries.webhook(actor)
    context = {
        "form": form, "webhook": hooked, "webhook_form": WebhookForm(initial=_shown(hooked)),
        "mails": bool(current().mail_server), "hosts": current().webhook_hosts,
    }  # fmt: skip
    return render(request, "console/notification_choices.html", context)


def _shown(hooked: Webhook | None) -> dict[str, str]:
    """The address of a chat lets anybody in who has it, and is not shown again."""
    if hooked is None:
        return {}
    return {"webhook": hooked.address if hooked.form == Form.SIGNED else "", "form": hooked.form}


@page
def webhook(request: HttpRequest, actor: Person) -> HttpResponse:
    """Its new secret is shown this once; without an address there is none any more."""
    form, secret = WebhookForm(request.POST or None), list[str]()
    if request.method == "POST" and not request.POST.get("webhook"):
        services.remove_webhook(actor=actor)
        messages.success(request, _("Removed. Nothing is sent there any more."))
        return redirect("console:notification-choices")
    if form.is_valid() and attempt(
        form,
        lambda: secret.append(
            services.set_webhook(actor=actor, address=form.cleaned_data["webhook"], form=form.chosen())
        ),
    ):
        if not secret[0]:
            messages.success(request, _("Your notifications go there from now on."))
            return redirect("console:notification-choices")
        return render(request, "console/notification_webhook.html", {"form": form, "secret": secret[0]})
    return render(request, "console/notification_webhook.html", {"form": form, "hosts": current().webhook_hosts})
