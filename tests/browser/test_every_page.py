# SPDX-License-Identifier: Apache-2.0
"""No page is forgotten: every address of the URL configuration that shows somebody a page is opened here once and can
be used by everybody, or is opened by ``test_pages``, which looks closer, or it is said here why it is no page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.urls import Resolver404, get_resolver, resolve
from playwright.sync_api import Page

from tests.browser.authenticator import with_authenticator
from tests.browser.conftest import PHONE, Open, Server
from tests.browser.judge import Judge
from tests.browser.test_pages import HIDDEN, OVERFLOW, PAGES, SMALL_DESK, address
from tests.integration.control.test_every_address import PLACE, routes

pytestmark = pytest.mark.browser

PEOPLE = ("owner", "technician-en", "watcher", "signer", "analyst-en", "")
# For programs, and for probes of whoever runs it.
NOT_FOR_BROWSERS = ("api/", "scim/", "witness/", "health/")
ABSENT = "of the sign-in library, and not offered"
PART = "a part of a page, without a frame"
STREAM = "never ends"
LEADS_ON = "has nothing to show, and leads to another page"
HALFWAY = "only in the middle of signing in, which journeys do"
NO_PAGE = {
    "^accounts/(?:signup|email|confirm-email(?:/[^/]+)?|password/reset|inactive)/(?:done/)?$": ABSENT,
    "^accounts/reauthenticate/code/(?:confirm/)?$": ABSENT,
    "^accounts/(?:3rdparty|social)/": ABSENT,
    **dict.fromkeys(
        (
            "accounts/signup/", "accounts/email/", "accounts/confirm-email/", "accounts/inactive/",
            "accounts/password/reset/", "accounts/password/reset/done/", "accounts/reauthenticate/code/",
            "accounts/reauthenticate/code/confirm/", "accounts/login/code/confirm/", "accounts/3rdparty/",
            "accounts/3rdparty/login/cancelled/", "accounts/3rdparty/login/error/", "accounts/3rdparty/signup/",
            "accounts/social/connections/", "accounts/social/login/cancelled/", "accounts/social/login/error/",
            "accounts/social/signup/", r"accounts/^confirm-email/(?P<key>[-:\w]+)/$",
            # Our own link sets a password, which test_pages opens by it: all else is what the library has there.
            "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        ),
        ABSENT,
    ),
    "accounts/2fa/authenticate/": HALFWAY,
    "accounts/2fa/webauthn/login/": HALFWAY,
    "accounts/2fa/webauthn/reauthenticate/": HALFWAY,
    "accounts/2fa/totp/activate/": "only without an authenticator app: test_first_run and below",
    "accounts/2fa/recovery-codes/": "only with codes: below",
    "accounts/2fa/recovery-codes/download/": "a file",
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": "only with a passkey: below",
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": "only with a passkey: below",
    "accounts/password/set/": LEADS_ON,
    "accounts/company/<str:provider>/callback/": "comes from a provider: tests/integration/control",
    "accounts/company/<str:provider>/metadata/": "a file, and only of SAML",
    "events/names/": PART,
    "events/saved/<str:search>/": LEADS_ON,
    "live/": STREAM,
    "notifications/<str:notification>/open/": LEADS_ON,
    "notifications/bell/": PART,
    "plants/<str:plant>/waiting/": PART,
    "program-contents/<str:supplier>/": LEADS_ON,
    "sinks/<str:sink>/again/": LEADS_ON,
    "sinks/<str:sink>/pause/": LEADS_ON,
    "sinks/<str:sink>/test/": LEADS_ON,
}  # fmt: skip
# Place of an address → whose id of the world stands there, where they are called otherwise.
NAMES = {
    "machine": "press3", "supplier": "presses", "person": "technician", "plant": "north", "customer": "organisation",
    "analyst": "pseudonym",
}  # fmt: skip
BY_KIND = {"requests": "request", "sessions": "session-cut", "gateways": "gateway-north"}  # a `public_id`
PLAIN = {"number": "1", "seq": "1", "domain": "works.example.test"}
# Elsewhere there is nothing to see, or nobody among these who sees it.
THERE = {"notices/<str:organisation>/": "/notices/{watchful}/"}


def opened_elsewhere(server: Server) -> set[str]:
    """Routes of the pages of ``test_pages``."""
    found = set()
    for path in (path for paths in PAGES.values() for path in paths):
        try:
            found.add(resolve(address(path, server, "en").partition("?")[0]).route)
        except Resolver404:
            assert path == "/nothing-here/"
    return found


def filled(route: str, server: Server) -> str:
    def thing(place: str) -> str:
        if place == "public_id":
            return server.ids[BY_KIND[route.partition("/")[0]]]
        return PLAIN.get(place) or server.ids.get(NAMES.get(place, place), "absent")  # of what only takes forms

    path = THERE.get(route) or "/" + PLACE.sub(lambda found: thing(found[1]), route)
    return address(path, server, "en")


class Visitors:
    """A page of each of ``PEOPLE``, opened when first asked for."""

    def __init__(self, open_as: Open) -> None:
        self._open_as, self._pages = open_as, dict[str, Page]()

    def all_of_them(self) -> Iterator[Page]:
        for who in PEOPLE:
            if who not in self._pages:
                self._pages[who] = self._open_as(who, None, reduced_motion="reduce", viewport=SMALL_DESK)
            yield self._pages[who]

    def shown(self, path: str) -> Page | None:
        """As the first of them sees it; None: nobody sees a page there. Raise NoPage."""
        for page in self.all_of_them():
            answer = page.request.get(path, max_redirects=0)
            kind = answer.headers.get("content-type", "")
            if answer.status == 405 or (answer.ok and "text/html" not in kind):
                raise NoPage(path)
            if answer.status == 200 and "<html" in answer.text():
                page.goto(path)
                return page
        return None


class NoPage(Exception):
    """It only takes forms, or is a file."""


def faults_of(page: Page, judge: Judge) -> list[str]:
    """On a small desk, where it is judged, and on a telephone."""
    faults = []
    for size in sorted((SMALL_DESK, PHONE), key=lambda size: size != page.viewport_size):  # as the last page was left
        if size != page.viewport_size:
            page.set_viewport_size(size)  # type: ignore[arg-type]
        if (over := page.evaluate(OVERFLOW)) > 0:
            faults.append(f"{page.url}: {over} px too wide at {size['width']}")
        if size == SMALL_DESK:
            tables = [over for over in page.evaluate(HIDDEN, ".table-scroll") if over > 0]
            faults += [f"{page.url}: a table is {over} px too wide" for over in tables]
            faults += judge.structure(page) + judge.contrast(page)
    return faults


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_address_that_shows_a_page_can_be_used_by_everybody(server: Server, open_as: Open) -> None:
    every = {route for route in routes(get_resolver().url_patterns) if not route.startswith(NOT_FOR_BROWSERS)}
    assert set(NO_PAGE) - every == set()
    elsewhere, visitors, judge = opened_elsewhere(server), Visitors(open_as), Judge()
    unseen, faults = [], []
    for route in sorted(every - elsewhere - set(NO_PAGE)):
        try:
            page = visitors.shown(filled(route, server))
        except NoPage:
            continue
        if page is None:
            unseen.append(route)
        else:
            faults += faults_of(page, judge)
    assert unseen == []  # nobody opens these: somebody has to in PEOPLE, or they are in NO_PAGE with a reason
    assert faults == []


def test_the_pages_of_a_second_factor_can_be_used_by_everybody(server: Server, open_as: Open) -> None:
    """Those that are there only with a passkey, with codes, or without an authenticator app."""
    page, judge = open_as("keys", None, reduced_motion="reduce", viewport=SMALL_DESK), Judge()
    with_authenticator(page)
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url(re.compile("recovery-codes|/accounts/2fa/$"))
    faults = faults_of(page, judge)
    page.goto("/accounts/2fa/webauthn/")
    listed = page.locator("main a[href*='/webauthn/keys/']").evaluate_all("all => all.map(one => one.href)")
    assert {"edit", "remove"} == {path.rstrip("/").rpartition("/")[2] for path in listed}
    for path in ("/accounts/2fa/webauthn/", "/accounts/2fa/", "/accounts/2fa/recovery-codes/", *listed):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        faults += faults_of(page, judge)
    page.goto("/accounts/2fa/totp/deactivate/")
    page.get_by_role("main").get_by_role("button").first.click()
    answer = page.goto("/accounts/2fa/totp/activate/")
    assert answer is not None
    assert page.url.endswith("/activate/")
    faults += faults_of(page, judge)
    assert faults == []
