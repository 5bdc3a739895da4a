# SPDX-License-Identifier: Apache-2.0
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portineria.control.identity.connector import authorise, check_redirect, unbase64
from portineria.control.identity.fresh_factor import FRESH, factor_proven_at, proven_within, to_prove_anew
from portineria.control.identity.models import Person
from portineria.control.identity.services import clean_name


class _Loopback(HttpResponseRedirect):
    allowed_schemes = ["http"]  # noqa: RUF012 Django's own form; check_redirect has seen that it is this computer


# The answer to the form leads to a port of the visitor's own computer, and browsers hold form-action against it too.
# CSP cannot name an IPv6 address, hence the scheme; the address itself is checked before anything is shown.
@csp_update({"form-action": ["http:"]})
@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """Shows which computer wants to sign in, and from where; yes sends the code back to it (WIRE 21). ``fresh``: once
    the second factor was proved anew.
    """
    asked = request.POST if request.method == "POST" else request.GET
    redirect, state = check_redirect(asked.get("redirect", "")), asked.get("state", "")[:200]
    key, name = unbase64(asked.get("key", ""), "key", size=32), clean_name(asked.get("name", ""), characters=64)
    challenge, address = asked.get("challenge", ""), str(request.META.get("REMOTE_ADDR") or "")
    unbase64(challenge, "challenge", size=32)
    if request.method == "POST" and isinstance(request.user, Person):
        code = authorise(actor=request.user, challenge=challenge, key=key, name=name, address=address,
                         factor_at=factor_proven_at(request))  # fmt: skip
        return _Loopback(f"{redirect}?{urlencode({'code': code, 'state': state})}")
    if asked.get("fresh") and isinstance(request.user, Person) and not proven_within(request, FRESH, timezone.now()):
        return to_prove_anew(request, request.user)
    fields = {"redirect": redirect, "state": state, "key": asked.get("key", ""), "name": name, "challenge": challenge}
    return render(request, "identity/authorize.html", {"fields": fields, "name": name, "address": address})
