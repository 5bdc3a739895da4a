# SPDX-License-Identifier: Apache-2.0
"""OpenID Connect by the sign-in library, with what it leaves open closed: the issuer is the pinned one, each ID token
is checked by its signature, and belongs to the sign-in that this browser began.
"""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt
import requests
from allauth.socialaccount.models import SocialApp, SocialToken
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse

from portineria.control.identity.outside_provider import PROVE, Unproven, Vouching, callback_address
from portineria.control.identity.provider_http import BoundedSession, NoAnswer, check_address
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.provider_secret import secret_of

LEEWAY_S = 60  # what clocks may differ by: OpenID Connect Core, 3.1.3.7 leaves "a few minutes"
WELL_KNOWN = "/.well-known/openid-configuration"
STANDARD_SCOPES = "openid profile email"
# Asymmetric ones only: a key that also the client knows proves nothing, and "none" less.
_ALGORITHMS = frozenset(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"])
_NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
_CLAIMS = ["iss", "sub", "aud", "exp", "iat"]  # OpenID Connect Core, 2: REQUIRED


def document_address(address: str) -> str:
    """Of the issuer, or of the document itself: with some providers it does not lie under the issuer."""
    return address if "/.well-known/" in address else address.rstrip("/") + WELL_KNOWN


def discovered(address: str) -> dict[str, str]:
    """Where a provider's doors are, by its own document. Raise NoAnswer."""
    found = _fetched(document_address(address))
    document = {name: value for name in _NEEDED if isinstance(value := found.get(name), str) and 0 < len(value) <= 500}
    if len(document) != len(_NEEDED):
        raise NoAnswer(f"{address} has no document of an OpenID provider")
    for name in _NEEDED[1:]:
        check_address(document[name])
    methods = found.get("token_endpoint_auth_methods_supported")
    basic = isinstance(methods, list) and "client_secret_post" not in methods
    return {**document, "token_auth_method": "client_secret_basic" if basic else "client_secret_post"}


def _fetched(address: str) -> dict[str, Any]:
    try:
        with BoundedSession() as session:
            answer = session.get(address)
        answer.raise_for_status()
        found = json.loads(answer.content)
    except (requests.RequestException, ValueError) as error:
        raise NoAnswer(f"{address}: {error}") from error
    if not isinstance(found, dict):
        raise NoAnswer(f"{address} answers with no document")
    return found


def signing_keys(document: Mapping[str, str]) -> dict[str, Any]:
    """Raise NoAnswer."""
    return _fetched(document["jwks_uri"])


def verified(token: str, keys: Mapping[str, Any], *, issuer: str, client: str) -> dict[str, Any]:
    """The claims of an ID token. Raise Unproven."""
    try:
        key = _key(keys, jwt.get_unverified_header(token))
        claims = jwt.decode(
            token, key, algorithms=[key.algorithm_name], issuer=issuer, audience=client, leeway=LEEWAY_S,
            options={"require": _CLAIMS},
        )  # fmt: skip
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Unproven(f"ID token: {error}") from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client) != client:  # OpenID Connect Core, 3.1.3.7, 4 and 5
        raise Unproven("ID token: made for another client")
    return dict(claims)


def _key(keys: Mapping[str, Any], header: Mapping[str, Any]) -> jwt.PyJWK:
    """The one that the token names; unnamed only where there is one. Its own kind decides how it is used."""
    known = jwt.PyJWKSet.from_dict(dict(keys)).keys
    usable = [key for key in known if key.algorithm_name in _ALGORITHMS and key.public_key_use in (None, "sig")]
    fitting = [key for key in usable if key.key_id == header.get("kid")] if "kid" in header else usable
    if len(fitting) != 1:
        raise Unproven(f"ID token: {len(fitting)} keys are called {header.get('kid')!r}")
    return fitting[0]


class OpenIdAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """One sign-in at one provider. The library's own type of what is fetched is kept: it asks for single entries."""

    @property
    def openid_config(self) -> dict[str, str]:
        """Raise NoAnswer; Unproven when the address has another issuer than on the day it was added."""
        if not hasattr(self, "_document"):
            app = self.get_provider().app
            self._document = discovered(app.settings["server_url"])
            if self._document["issuer"] != app.settings["issuer"]:
                raise Unproven(f"the provider calls itself {self._document['issuer']!r} now")
        return self._document

    @property
    def basic_auth(self) -> bool:
        return self.openid_config["token_auth_method"] == "client_secret_basic"  # noqa: S105  # a name

    def get_access_token_data(self, *args: Any, **given: Any) -> dict[str, Any]:
        try:
            found = super().get_access_token_data(*args, **given)
        except (KeyError, TypeError, ValueError) as error:  # the library believes an answer to be one
            raise Unproven(f"token endpoint: {error!r}") from error
        return dict(found)

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """What it hands out besides is not used, and not looked at."""
        return SocialToken(token="")

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **given: Any) -> Any:
        """By the ID token alone: what else could be asked for is not signed."""
        claims = verified(
            str(given["response"].get("id_token") or ""), signing_keys(self.openid_config),
            issuer=app.settings["issuer"], client=app.client_id,
        )  # fmt: skip
        return self.get_provider().sociallogin_from_response(request, claims)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return callback_address(self.provider_id)


class OpenIdProvider(Vouching, OpenIDConnectProvider):  # type: ignore[misc]
    oauth2_adapter_class = OpenIdAdapter
    leeway_s = LEEWAY_S

    def redirect(self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None,
                 **given: Any) -> HttpResponse:  # fmt: skip
        nonce, levels = secrets.token_urlsafe(24), self.app.settings["factor"].levels
        asked = {"nonce": nonce} | ({"acr_values": " ".join(levels)} if levels else {})
        if process == PROVE:  # OpenID Connect Core, 3.1.2.1: with max_age, auth_time is REQUIRED in the answer
            asked |= {"prompt": "login", "max_age": "0"}
        answer: HttpResponse = super().redirect(
            request, process, next_url, data, auth_params=asked, nonce=nonce, asked_at=int(time.time())
        )
        return answer


def provider_of(request: HttpRequest, row: IdentityProvider) -> OpenIdProvider:
    app = SocialApp(
        provider=OpenIdProvider.id, provider_id=row.public_id, name=row.name,
        client_id=row.settings["client_id"], secret=secret_of(row),
        settings={
            "server_url": row.settings["address"], "issuer": row.issuer, "groups_claim": row.groups_claim,
            "scope": row.settings["scopes"].split(), "oauth_pkce_enabled": True, "factor": row.factor_terms,
        },
    )  # fmt: skip
    return OpenIdProvider(request, app=app)
