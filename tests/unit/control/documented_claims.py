# SPDX-License-Identifier: Apache-2.0
"""ID tokens as the vendors document them; ids and names are those of their examples, shortened. What each proves
stands in ``test_claims``.
"""

from __future__ import annotations

from typing import Any

# https://learn.microsoft.com/en-us/security/zero-trust/develop/configure-tokens-group-claims-app-roles
ENTRA_V2: dict[str, Any] = {
    "aud": "e18c04b1-4868-4b93-93d1-8d71f17ab99b",
    "iss": "https://login.microsoftonline.com/833ced3d-cb2e-41de-92f1-29e2af035ddc/v2.0",
    "iat": 1669657224, "nbf": 1669657224, "exp": 1669661124,
    "groups": ["0760b6cf-170e-4a14-91b3-4b78e0739963", "3b2b0c93-acd8-4208-8eba-7a48db1cd4c0"],
    "oid": "cb7eda1b-d09a-40ae-b8bb-37836ebc6abd",
    "sub": "3OBtLXUC2ZrN_ADLNjW9X4o0lcd61py7lgHw3Skh77s",
    "tid": "833ced3d-cb2e-41de-92f1-29e2af035ddc", "ver": "2.0",
    "name": "Tina", "preferred_username": "Tina@plant.example",
}  # fmt: skip
# https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference: tokens of version 1.0 are
# issued by sts.windows.net and name people by ``upn`` and ``unique_name``.
ENTRA_V1: dict[str, Any] = {
    "aud": "ef1da9d4-ff77-4c3e-a005-840c3f830745",
    "iss": "https://sts.windows.net/fa15d692-e9c7-4460-a743-29f29522229/",
    "iat": 1537233106, "nbf": 1537233106, "exp": 1537237006, "given_name": "Tina", "family_name": "Weber",
    "groups": ["0760b6cf-170e-4a14-91b3-4b78e0739963"],
    "sub": "wRVnbwvjoGRgVBIKlbgNG2KOTqHsDmHTVpVZ4D8h8lA",
    "unique_name": "tina@plant.example", "upn": "tina@plant.example",
    "ver": "1.0",
}  # fmt: skip
# https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference, "Groups overage claim": beyond
# 200 groups in a JWT none is in it.
ENTRA_OVERAGE: dict[str, Any] = {
    **{name: value for name, value in ENTRA_V2.items() if name != "groups"},
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": "https://graph.microsoft.com/v1.0/users/cb7eda1b/getMemberObjects"}},
}
# The same page, for the implicit flow: beyond six groups.
ENTRA_OVERAGE_IMPLICIT: dict[str, Any] = {
    **{name: value for name, value in ENTRA_V2.items() if name != "groups"},
    "hasgroups": True,
}
# https://learn.microsoft.com/en-us/entra/identity-platform/reference-saml-tokens, "groups:src1" and its SAML form, as
# this server hands attributes over: beyond 150 groups.
ENTRA_SAML_OVERAGE: dict[str, Any] = {
    "sub": "3OBtLXUC2ZrN",
    "http://schemas.microsoft.com/claims/groups.link": ["https://graph.windows.net/833ced3d/users/cb7e/getMemberObjects"],
}  # fmt: skip
# https://learn.microsoft.com/en-us/azure/active-directory-b2c/tokens-overview: no groups; the issuer lies elsewhere
# than the discovery document; ``emails`` is a list.
B2C: dict[str, Any] = {
    "aud": "00001111-aaaa-2222-bbbb-3333cccc4444",
    "iss": "https://plant.b2clogin.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0/",
    "iat": 1438535543, "exp": 1438539443, "nbf": 1438535543, "ver": "1.0", "tfp": "B2C_1_signupsignin1",
    "sub": "884408e1-2918-4cz0-b12d-3aa027d7563b", "name": "Tina", "emails": ["tina@plant.example"],
}  # fmt: skip
# https://learn.microsoft.com/en-us/entra/external-id/customers/concept-supported-features-customers: the issuer of an
# external tenant; groups only when somebody configured them.
EXTERNAL_ID: dict[str, Any] = {
    "aud": "e18c04b1-4868-4b93-93d1-8d71f17ab99b",
    "iss": "https://aaaabbbb-0000-cccc-1111-dddd2222eeee.ciamlogin.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
    "iat": 1669657224, "exp": 1669661124, "sub": "nmpFQX3dxd4", "name": "Tina", "email": "tina@plant.example",
    "ver": "2.0",
}  # fmt: skip
# https://developer.okta.com/docs/guides/customize-tokens-groups-claim/add-groups-claim-org-as/: what the filter
# lets by.
OKTA: dict[str, Any] = {
    "sub": "00uixa271s6x7qt8I0h7", "ver": 1, "iss": "https://plant.okta.com", "aud": "0oaoiuhhch8VRtBnC0h7",
    "iat": 1574201516, "exp": 1574205116, "jti": "ID.ewMNfSvcpuqyS93OgVeCN3F2LseqROkyYjz7DNb9yhs", "amr": ["pwd"],
    "auth_time": 1574201433, "email": "tina@plant.example", "groups": ["Everyone", "IT"],
}  # fmt: skip
# https://www.keycloak.org/docs/latest/server_admin/: the Group Membership mapper with and without "Full group path".
KEYCLOAK_PATHS: dict[str, Any] = {
    "iss": "https://sso.plant.example/realms/plant", "aud": "portineria", "azp": "portineria", "typ": "ID",
    "iat": 1669657224, "exp": 1669657524, "sub": "f4d1c1b0-2a4f-4f0a-8a0e-2f6b7d1d0a11", "email_verified": True,
    "name": "Tina Weber", "preferred_username": "tina", "email": "tina@plant.example",
    "groups": ["/maintenance", "/maintenance/presses"],
}  # fmt: skip
KEYCLOAK_NAMES: dict[str, Any] = {**KEYCLOAK_PATHS, "groups": ["maintenance", "presses"]}
# Of a second factor. https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference ("amr":
# "only present in v1.0 tokens"), and for ``auth_time`` …/optional-claims-reference.
ENTRA_MFA: dict[str, Any] = {"amr": ["pwd", "mfa"]}
# https://learn.microsoft.com/en-us/entra/identity-platform/reference-saml-tokens, "Authentication Method"; AD FS and
# Entra ID name several factors as its federation with others asks for them.
ENTRA_SAML_METHODS: dict[str, list[str]] = {
    "http://schemas.microsoft.com/claims/authnmethodsreferences": [
        "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password",
        "http://schemas.microsoft.com/claims/multipleauthn",
    ],
}
# https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/ ("amr"), and
# https://developer.okta.com/docs/guides/step-up-authentication/main/: the level is the one that was asked for.
OKTA_MFA: dict[str, Any] = {"amr": ["mfa", "otp", "pwd"]}
OKTA_STEP_UP: dict[str, Any] = {"acr": "urn:okta:loa:2fa:any", "amr": ["mfa", "otp", "pwd"]}
# https://www.keycloak.org/docs/latest/server_admin/, "ACR to Level of Authentication (LoA) Mapping": the name of the
# level; ``amr`` is there with a mapper only.
KEYCLOAK_LEVEL: dict[str, Any] = {"acr": "gold"}
