# SPDX-License-Identifier: Apache-2.0
"""An authenticator within the browser, which proves its owner by itself."""

from __future__ import annotations

from playwright.sync_api import Page

_OPTIONS = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def with_authenticator(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": _OPTIONS})
