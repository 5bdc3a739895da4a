# SPDX-License-Identifier: Apache-2.0
"""SAML 2.0 by python3-saml, between the sign-in library's state and accounts. Needs the extra ``saml``.

Where this server is comes from its settings and not from the request: destination and audience are compared with it.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from allauth.socialaccount.internal.statekit import unstash_state
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import Provider, ProviderAccount
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from portineria.control.identity.claims import GROUPS_LINK
from portineria.control.identity.outside_provider import PROVE, Unproven, Vouching, callback_address
from portineria.control.identity.provider_http import BoundedSession, NoAnswer, check_address
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.said_factor import AUTHN_METHODS
from portineria.control.settings.start import current

RESPONSE_CHARACTERS = 60_000  # below what the server takes of a stranger's form; Entra's 150 groups have about 25,000
_MOST_CERTIFICATES, _CERTIFICATE_CHARACTERS = 8, 8000
# Of Entra ID, of the SAML attribute profile for X.500 (LDAP), and as people call them by hand.
_ADDRESSES = (
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "urn:oid:0.9.2342.19200300.100.1.3",
    "email", "mail",
)  # fmt: skip
_NAMES = ("http://schemas.microsoft.com/identity/claims/displayname", "urn:oid:2.16.840.1.113730.3.1.241", "name")
# What the parser raises for what is no metadata: lxml's errors are of SyntaxError and ValueError.
_NO_METADATA = (OneLogin_Saml2_Error, SyntaxError, ValueError, KeyError, IndexError, TypeError, AttributeError)


def read_metadata(address: str) -> dict[str, Any]:
    """``entity``, ``sso_url`` and signing ``certificates`` of the provider at this address. Raise NoAnswer."""
    try:
        with BoundedSession() as session:
            answer = session.get(address)
        answer.raise_for_status()
        found = OneLogin_Saml2_IdPMetadataParser.parse(answer.content)["idp"]
        several = found.get("x509certMulti", {}).get("signing", [])
        certificates = [str(one) for one in [found.get("x509cert"), *several] if one]
        kept = {
            "entity": found["entityId"],
            "sso_url": found["singleSignOnService"]["url"],
            "certificates": certificates,
        }
    except (requests.RequestException, *_NO_METADATA) as error:
        raise NoAnswer(f"{address} has no metadata of a SAML provider: {error}") from error
    check_address(kept["sso_url"])
    long = any(len(one) > _CERTIFICATE_CHARACTERS for one in certificates) or len(certificates) > _MOST_CERTIFICATES
    if long or not certificates or len(kept["sso_url"]) > 500:
        raise NoAnswer(f"{address} has no signing certificate, or too many")
    return kept


def our_metadata(provider: str) -> bytes:
    """What the provider is given of us."""
    settings = OneLogin_Saml2_Settings({"strict": True, "sp": _ourselves(provider)}, sp_validation_only=True)
    text = settings.get_sp_metadata()
    return text if isinstance(text, bytes) else str(text).encode()


def entity_of(provider: str) -> str:
    return current().public_url.rstrip("/") + reverse("company_metadata", args=[provider])


def _ourselves(provider: str) -> dict[str, Any]:
    door = {"url": callback_address(provider), "binding": OneLogin_Saml2_Constants.BINDING_HTTP_POST}
    return {
        "entityId": entity_of(provider), "assertionConsumerService": door,
        "NameIDFormat": OneLogin_Saml2_Constants.NAMEID_PERSISTENT,
    }  # fmt: skip


def _auth(app: SocialApp, response: str = "") -> OneLogin_Saml2_Auth:
    place = urlsplit(callback_address(app.provider_id))
    request = {
        "https": "on" if place.scheme == "https" else "off", "http_host": place.netloc, "script_name": "",
        "path_info": place.path, "get_data": {}, "post_data": {"SAMLResponse": response} if response else {},
    }  # fmt: skip
    known = app.settings["idp"]
    idp = {
        "entityId": known["entity"], "singleSignOnService": {"url": known["sso_url"]},
        "x509certMulti": {"signing": list(known["certificates"])},
    }  # fmt: skip
    security = {
        "requestedAuthnContext": list(app.settings["factor"].levels) or False, "rejectDeprecatedAlgorithm": True,
        "wantAttributeStatement": False,
    }  # fmt: skip
    settings = {"strict": True, "security": security, "sp": _ourselves(app.provider_id), "idp": idp}
    return OneLogin_Saml2_Auth(request, settings)


class SamlProvider(Vouching, Provider):  # type: ignore[misc]
    id = "saml"
    name = "SAML"
    account_class = ProviderAccount
    supports_redirect = True
    leeway_s = OneLogin_Saml2_Constants.ALLOWED_CLOCK_DRIFT

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **given: Any
    ) -> HttpResponseRedirect:
        auth = _auth(self.app)
        location = auth.login(return_to="", force_authn=process == PROVE)
        self.stash_redirect_state(
            request, process, next_url, data, state_id=auth.get_last_request_id(), asked_at=int(time.time())
        )
        return HttpResponseRedirect(location)

    def answered(self, request: HttpRequest, response: str) -> Any:
        """The library's login, of the sign-in that this browser began: each counts once. Raise Unproven."""
        auth = _auth(self.app, response)
        try:
            auth.process_response()
            claims = _claims(auth, self.app.settings["groups_claim"])
        except _NO_METADATA as error:
            raise Unproven(f"SAML response: {error}") from error
        asked = str(auth.get_last_response_in_response_to() or "")
        if _asked_by(auth) != {asked}:
            raise Unproven("SAML response: its assertion answers something else")
        state = self._state(request, asked)
        login = self.sociallogin_from_response(request, claims)
        login.state = state
        return login

    def _state(self, request: HttpRequest, asked: str) -> Any:
        state = unstash_state(request, provider_id=self.sub_id, state_id=asked)
        if state is None:
            raise Unproven("SAML response: to nothing that this browser asked")
        return state


def _asked_by(auth: OneLogin_Saml2_Auth) -> set[str]:
    """To what the assertion says that it answers (SAML profiles, 4.1.4.3): often it alone is signed, and the response
    around it could say anything.
    """
    document = OneLogin_Saml2_XML.to_etree(auth.get_last_response_xml())
    found = OneLogin_Saml2_XML.query(document, "//saml:SubjectConfirmationData")
    return {str(one.get("InResponseTo") or "") for one in found}


def _claims(auth: OneLogin_Saml2_Auth, groups_claim: str) -> dict[str, Any]:
    """As those of a token. Raise Unproven."""
    if auth.get_errors() or not auth.is_authenticated():
        raise Unproven(f"SAML response: {auth.get_last_error_reason() or auth.get_errors()}")
    if auth.get_nameid_format() == OneLogin_Saml2_Constants.NAMEID_TRANSIENT:  # another one with each sign-in
        raise Unproven("SAML response: a transient name says who nobody is")
    given: Mapping[str, list[str]] = auth.get_attributes()
    claims: dict[str, Any] = {"sub": auth.get_nameid(), GROUPS_LINK: given.get(GROUPS_LINK)}
    claims["email"] = next((given[name] for name in _ADDRESSES if given.get(name)), None)
    claims["name"] = next((given[name][0] for name in _NAMES if given.get(name)), None)
    if groups_claim and groups_claim in given:
        claims[groups_claim] = given[groups_claim]
    return claims | {"amr": given.get(AUTHN_METHODS)} | _authenticated(auth)


def _authenticated(auth: OneLogin_Saml2_Auth) -> dict[str, Any]:
    """``acr`` and ``auth_time`` of the one statement of the one assertion, which is signed by itself or with what is
    around it: more of either python3-saml does not take.
    """
    document = OneLogin_Saml2_XML.to_etree(auth.get_last_response_xml())
    [statement] = OneLogin_Saml2_XML.query(document, "/samlp:Response/saml:Assertion/saml:AuthnStatement")
    at = datetime.fromisoformat(str(statement.get("AuthnInstant") or ""))
    zoned = at.tzinfo is not None
    return {"acr": next(iter(auth.get_last_authn_contexts()), None), "auth_time": at.timestamp() if zoned else None}


def provider_of(request: HttpRequest, row: IdentityProvider) -> SamlProvider:
    app = SocialApp(
        provider=SamlProvider.id, provider_id=row.public_id, name=row.name, client_id=row.public_id,
        settings={"idp": {**row.settings, "entity": row.issuer}, "groups_claim": row.groups_claim,
                  "factor": row.factor_terms},
    )  # fmt: skip
    return SamlProvider(request, app=app)
