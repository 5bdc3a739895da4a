# SPDX-License-Identifier: Apache-2.0
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path

from portineria.control.api import api
from portineria.control.health import health, live
from portineria.control.later import Later
from portineria.control.rest.nowhere import nowhere
from portineria.control.witness_door import add_checkpoint


def absent(request: HttpRequest) -> HttpResponse:
    """Pages of the sign-in library that we do not offer: no open sign-up, no mail yet, addresses are vouched for."""
    raise Http404


handler500 = "portineria.control.identity.middleware.broken"
urlpatterns: list[URLPattern | URLResolver] = [
    path("health/", health, name="health"),
    path("health/live/", live),
    path("api/v1/", api.urls),
    Later("api/rest/v1/", "portineria.control.rest.urls"),
    path("api/rest/<path:rest>", nowhere),
    Later("scim/v2/", "portineria.control.scim.urls"),
    path("witness/add-checkpoint", add_checkpoint),
    path("connect/", include("portineria.control.identity.urls")),
    re_path(r"^accounts/(?:signup|email|confirm-email(?:/[^/]+)?|password/reset|inactive)/(?:done/)?$", absent),
    re_path(r"^accounts/reauthenticate/code/(?:confirm/)?$", absent),  # a code by mail proves nobody anew
    path("accounts/company/", include("portineria.control.identity.company")),
    re_path(r"^accounts/(?:3rdparty|social)/", absent),  # no open sign-up by these either; ours are above
    path("accounts/2fa/", include("portineria.control.identity.own_factors")),
    path("accounts/", include("allauth.urls")),
    path("", include("portineria.control.console.urls")),
]
