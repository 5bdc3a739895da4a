# SPDX-License-Identifier: Apache-2.0
"""The provider that a row is, for the sign-in library."""

from types import ModuleType
from typing import Any

from django.http import HttpRequest

from portineria.control.identity import openid
from portineria.control.identity.provider_models import IdentityProvider, ProviderKind
from portineria.core.errors import Unavailable


class NoSaml(Unavailable):
    """python3-saml is an extra: it brings libxml2 and xmlsec, which whoever has no SAML need not keep up to date."""

    code = "identity.provider.no-saml"


def saml_room() -> ModuleType:
    """Raise NoSaml."""
    try:
        from portineria.control.identity import saml
    except ImportError as error:
        raise NoSaml("SAML needs more of Portineria: pip install 'portineria[saml]'") from error
    return saml


def provider_of(request: HttpRequest, row: IdentityProvider) -> Any:
    """Raise NoSaml."""
    room = saml_room() if row.kind == ProviderKind.SAML else openid
    return room.provider_of(request, row)
