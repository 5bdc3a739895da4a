# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django.apps import AppConfig


class Config(AppConfig):
    name = "portineria.control.identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A wrong second factor is told by this signal of the sign-in library, and by nothing else."""
        from allauth.mfa.signals import authentication_failed

        authentication_failed.connect(_second_factor_failed)


def _second_factor_failed(*, request: Any, user: Any, authenticator: Any, **_more: Any) -> None:
    from portineria.control.identity.services import record_for_person

    address = str(request.META.get("REMOTE_ADDR") or "")
    kind = str(authenticator.type).replace("_", "-")
    record_for_person("identity.second-factor.failed", user, kind=kind, address=address)
