# SPDX-License-Identifier: Apache-2.0
"""Locking, unlocking and inviting again, on the page of people and suppliers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open, Server
from tests.browser.test_journeys import PASSWORD, sign_in

pytestmark = pytest.mark.browser

NEW = "a new horse and another battery"


def act(page: Page, button: str, reason: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=button, exact=True).click()


def test_an_administrator_locks_and_unlocks_a_supplier_on_a_phone(server: Server, open_as: Open) -> None:
    page = open_as("owner", "/", viewport=PHONE, color_scheme="dark")
    page.get_by_text("More", exact=True).click()
    page.locator(".nav-more .sheet").get_by_role("link", name="People").click()
    page.get_by_label("Search by name").fill("drive")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Lock Drive Supplier").click()
    act(page, "Lock", "breach at the supplier")
    expect(page.get_by_text("Drive Supplier is locked.")).to_be_visible()
    page.get_by_role("link", name="Unlock Drive Supplier").click()
    act(page, "Unlock", "it was a drill")
    expect(page.get_by_text("Drive Supplier is unlocked")).to_be_visible()
    expect(page.get_by_role("link", name="Lock Drive Supplier", exact=True)).to_be_visible()


def test_whoever_lost_password_and_telephone_comes_back_by_a_link_that_is_shown_once(
    server: Server, open_as: Open
) -> None:
    page, before = open_as("", None), open_as("forgetful", "/")
    expect(before.get_by_role("heading", level=1)).to_be_visible()
    sign_in(page, server, "head")
    page.wait_for_url("**/")
    page.goto("/people/?q=forgetful")
    page.get_by_role("link", name="Invite again: Forgetful").click()
    page.get_by_label("Password").fill(PASSWORD)  # an open browser is not enough for this
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Reason").fill("bag stolen")
    page.get_by_role("button", name="Invite again").click()
    address = page.locator("#invitation code").inner_text()
    page.goto("/people/?q=forgetful")
    expect(page.get_by_text("invited, no password yet")).to_be_visible()
    assert address not in page.content()

    before.goto("/machines/")
    expect(before).to_have_url(re.compile("/accounts/login/"))

    coming = open_as("", None)
    coming.goto(address[address.index("/accounts/") :])
    coming.get_by_label("New password", exact=True).fill(NEW)
    coming.get_by_label("New password, once more").fill(NEW)
    coming.get_by_role("button", name="Save").click()
    expect(coming).to_have_url(re.compile("/accounts/2fa/"))
