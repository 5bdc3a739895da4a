# SPDX-License-Identifier: Apache-2.0
"""Programs of an organisation and their tokens. A token is shown once, in the answer that makes it."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portineria.control.console.page import attempt, page
from portineria.control.console.queries import administered
from portineria.control.console.service_account_forms import AccountForm, TokenForm
from portineria.control.identity import queries as identity
from portineria.control.identity import service_accounts as services
from portineria.control.identity.api_tokens import powers_of
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Membership, Person
from portineria.control.settings.start import current
from portineria.core.errors import Denied, NotFound


@page
def accounts(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"service accounts, for {actor.public_id}")
    context = {
        "rows": identity.service_accounts(actor), "administers": bool(administered(actor)),
        "several": len(actor.staff_of) > 1,
    }  # fmt: skip
    return render(request, "console/service_accounts.html", context)


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    if not actor.staff_of:
        raise NotFound(f"service accounts, for {actor.public_id}")
    organisations = administered(actor)
    if not organisations:
        raise Denied("administers no organisation")
    form, made = AccountForm(request.POST or None, actor=actor, organisations=organisations), list[Person]()
    if form.is_valid() and attempt(
        form, lambda: made.append(services.create_service_account(actor=actor, **form.cleaned_data))
    ):
        messages.success(request, _("Added. It can do nothing until it has a token."))
        return redirect("console:service-account", made[0].public_id)
    return render(
        request, "console/service_account_add.html", {"form": form, "several": len(organisations) > 1}
    )  # fmt: skip


@page
def account(request: HttpRequest, actor: Person, account: str) -> HttpResponse:
    row, now = identity.service_account(actor, account), timezone.now()
    role = actor.role_in(row.organisation_id)
    tokens = [
        {"row": token, "scopes": powers_of(token).scopes, "works": token.revoked_at is None and not token.expired(now)}
        for token in identity.api_tokens(actor, account)[:50]
    ]
    context = {"row": row, "tokens": tokens, "administers": role is not None and administers(role)}
    return render(request, "console/service_account.html", context)


def _changeable(actor: Person, account: str) -> Membership:
    row = identity.service_account(actor, account)
    require(actor, row.organisation_id, administers)
    return row


@never_cache
@page
def token_add(request: HttpRequest, actor: Person, account: str) -> HttpResponse:
    answer: HttpResponse = _token_add(request, actor, _changeable(actor, account))
    return answer


# As with invitations: whoever finds a browser open takes no token out of it.
@reauthentication_required  # type: ignore[untyped-decorator]
def _token_add(request: HttpRequest, actor: Person, row: Membership) -> HttpResponse:
    form, made = TokenForm(request.POST or None), list[str]()
    account = row.person.public_id
    if form.is_valid() and attempt(
        form, lambda: made.append(services.issue_token(actor=actor, account=account, **form.given())[0])
    ):
        context = {"row": row, "token": made[0], "address": f"{current().public_url.rstrip('/')}/api/rest/v1/me",
                   "bound": bool(form.cleaned_data["public_key"]), "provisions": form.cleaned_data["provisions"],
                   "scim": f"{current().public_url.rstrip('/')}/scim/v2"}  # fmt: skip
        return render(request, "console/service_token_made.html", context)
    return render(request, "console/service_token_add.html", {"form": form, "row": row})


@require_POST
@page
def token_end(request: HttpRequest, actor: Person, account: str, token: str) -> HttpResponse:
    _changeable(actor, account)
    services.revoke_api_token(actor=actor, account=account, token=token)
    messages.success(request, _("Ended. Whoever has this token is refused from now on."))
    return redirect("console:service-account", account)
