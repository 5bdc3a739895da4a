# SPDX-License-Identifier: Apache-2.0
"""The REST API as a whole, and its description in OpenAPI 3.1."""

from typing import Any

from ninja import NinjaAPI

from portineria.control.api import handle_errors
from portineria.control.rest.account import router as account
from portineria.control.rest.company_devices import router as company_devices
from portineria.control.rest.delegations import router as delegations
from portineria.control.rest.directory_ends import router as directory_ends
from portineria.control.rest.emergency import router as emergency
from portineria.control.rest.entering import estate
from portineria.control.rest.extensions import router as extensions
from portineria.control.rest.groups import router as groups
from portineria.control.rest.identity_providers import router as identity_providers
from portineria.control.rest.jobs import router as jobs
from portineria.control.rest.locks import router as locks
from portineria.control.rest.notifications import router as notifications
from portineria.control.rest.people import router as people
from portineria.control.rest.plant import router as plant
from portineria.control.rest.privacy import router as privacy
from portineria.control.rest.reasons import router as reasons
from portineria.control.rest.register import router as register
from portineria.control.rest.reports import router as reports
from portineria.control.rest.requests import router as requests
from portineria.control.rest.rules import router as rules
from portineria.control.rest.saved_searches import router as saved_searches
from portineria.control.rest.service_accounts import router as service_accounts
from portineria.control.rest.sessions import router as sessions
from portineria.control.rest.sinks import router as sinks
from portineria.control.rest.standings import router as standings
from portineria.control.rest.substitutions import router as substitutions
from portineria.control.rest.templates import router as templates
from portineria.control.rest.trainings import router as trainings
from portineria.control.rest.unused import router as unused

PREFIX = "/api/rest/v1/"
_PROBLEM = "application/problem+json"
_SCHEMES = {
    "token": {
        "type": "http", "scheme": "bearer",
        "description": "Of a service account. One that is bound to a key is sent as `Authorization: Portineria TOKEN` "
        "with `Portineria-Proof`, as connectors do.",
    },
    "browser": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Whoever is signed in."},
}  # fmt: skip


class RestApi(NinjaAPI):
    _described: Any = None

    def get_openapi_schema(self, **more: Any) -> Any:
        """Made once: it stays the same, anybody may ask for it, and to make it takes a second."""
        if self._described is None:
            self._described = self._describe(**more)
        return self._described

    def _describe(self, **more: Any) -> Any:
        """Refusals are problems (RFC 9457), and say so."""
        schema = super().get_openapi_schema(**more)
        schema["components"]["securitySchemes"] = _SCHEMES
        schema["security"] = [{"token": []}, {"browser": []}]
        for path in schema["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400:
                        response["content"] = {_PROBLEM: response["content"].pop("application/json")}
        return schema


api = RestApi(
    title="Portineria", version="1", urls_namespace="rest", docs_url=None,
    description="What the console does, over the same services: docs/howto/api.md.",
)  # fmt: skip
handle_errors(api)
for router in (
    account, estate, people, groups, rules, requests, sessions, locks, register, sinks, delegations, plant,
    trainings, reasons, company_devices, directory_ends, service_accounts, emergency, substitutions, jobs,
    privacy, identity_providers, saved_searches, notifications, templates, reports, extensions, standings, unused,
):  # fmt: skip
    api.add_router("", router)
