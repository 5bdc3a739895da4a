# SPDX-License-Identifier: Apache-2.0
"""Every page, in every language, light and dark, on a control-room screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import LOCALES, PHONE, Open, Server
from tests.browser.judge import Judge
from tests.browser.reading import left_in_english

pytestmark = pytest.mark.browser

AUTHORISE = (
    "/connect/authorize?challenge=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU&redirect=http://127.0.0.1:5555/"
    "&state=x&key=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU&name=LAPTOP-7"
)
# Path, with {names} from the world; {language} first. The owner's, the technician's, everybody's.
PAGES = {
    "owner": [
        "/",
        "/machines/",
        "/machines/?q=nothing-like-this",
        "/machines/{press3}/",
        "/machines/add/",
        "/machines/{press3}/services/add/",
        "/plants/",
        "/plants/{north}/",
        "/plants/{east}/",
        "/plants/add/",
        "/approvals/",
        "/approvals/substitutes/",
        "/notifications/",
        "/notifications/choices/",
        "/requests/{waiting}/",
        "/requests/{waiting}/refuse/",
        "/requests/{waiting}/hand-over/",
        "/requests/{request}/",
        "/grants/{grant}/extend/",
        "/grants/{grant}/revoke/",
        "/directory-ends/",
        "/sessions/",
        "/sessions/{session}/",
        "/sessions/{session}/cut/",
        "/sessions/{session}/end/",
        "/sessions/{session}/freeze/",
        "/sessions/{session}/thaw/",
        "/sessions/{session}/lock-person/",
        "/sessions/{session}/lock-supplier/",
        "/sessions/{session}/unlock-person/",
        "/sessions/{session}/unlock-supplier/",
        "/machines/{press5}/",
        "/machines/{press5}/signals/add/",
        "/requests/{inspected-waiting}/",
        "/sessions/{session-inspected}/",
        "/sessions/{session-cut}/",
        "/sessions/{session-cut}/playback/",
        "/sessions/{session-cut}/report/",
        "/privacy/",
        "/sessions/{session-cutting}/",
        "/sessions/{session-draining}/",
        "/gateways/",
        "/gateways/add/",
        "/gateways/{gateway-north}/",
        "/gateways/{gateway-north}/revoke/",
        "/gateways/{gateway-wrong}/",
        "/gateways/{gateway-wrong}/refuse/",
        "/sinks/",
        "/sinks/add/?kind=sentinel",
        "/people/",
        "/people/?q=nothing-like-this",
        "/people/unused/",
        "/people/unused/{organisation}/",
        "/people/{organisation}/{closed}/reopen/",
        "/people/{organisation}/{technician}/stay/",
        "/people/add/",
        "/people/{organisation}/{technician}/lock/",
        "/people/{organisation}/{technician}/unlock/",
        "/people/{organisation}/{technician}/invite/",
        "/service-accounts/{account}/",
        "/providers/add/",
        "/providers/{provider}/",
        "/delegations/{delegation}/",
        "/delegations/{delegation}/change/",
        "/suppliers/{presses}/",
        "/suppliers/{presses}/assess/",
        "/suppliers/{presses}/lock/",
        "/suppliers/{presses}/unlock/",
        "/rules/{rule}/change/",
        "/locks/",
        "/emergencies/",
        "/events/",
        "/events/?code=access.",
        "/lists/accesses/?who=everybody",
        "/events/?text=wrong+machine&person=technician",
        "/events/?text=nothing&machine=zzz",
        "/events/{organisation}/40/",
        "/events/check/",
        "/account/",
        "/account/hours/{organisation}/",
        "/accounts/logout/",
        "/accounts/2fa/",
        "/accounts/2fa/webauthn/",
        "/accounts/2fa/webauthn/add/",
        "/accounts/2fa/recovery-codes/generate/",
        "/accounts/2fa/totp/deactivate/",
        "/accounts/password/change/",
        "/accounts/reauthenticate/",
        "/accounts/sessions/",
    ],
    "technician": [
        "/",
        "/machines/",
        "/machines/{press3}/",
        "/machines/{robot}/",
        "/machines/{robot}/ask/",
        "/work/",
        "/requests/",
        "/requests/{waiting}/",
        "/grants/{grant}/more/",
        "/sessions/",
        "/sessions/{session}/",
        "/program-contents/",
        AUTHORISE,
    ],
    "analyst": ["/customers/", "/delegations/{delegation}/decline/", "/accounts/company/prove/"],
    "stranger": ["/accounts/login/", "/nothing-here/", "/accounts/password/reset/key/1-set-password/"],
}
SMALL_DESK = {"width": 1200, "height": 800}  # the smallest screen with everything beside each other
NARROW = {"width": 360, "height": 640}  # the narrowest telephone that is still sold
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HIDDEN = """of => [...document.querySelectorAll(of)].filter(one => one.checkVisibility())
    .map(one => one.scrollWidth - one.clientWidth)"""
ROOM = """of => [...document.querySelectorAll(of)].map(one => {  // beside what is chosen
  const style = getComputedStyle(one), drawn = document.createElement("canvas").getContext("2d");
  drawn.font = style.font;
  const inside = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return inside - drawn.measureText(one.selectedOptions[0].text).width;
})"""


def address(path: str, server: Server, language: str) -> str:
    names = {"waiting", "request", "grant", "session"}
    ids = server.ids | {name: server.ids[f"{name}-{language}"] for name in names}
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path
    return path


# What fits the narrow screen fits a telephone, and what fits a small desk a large one. The last look of a page is the
# first of the next one, which saves half of the changes.
LOOKS = ((SMALL_DESK, "light"), (NARROW, "light"), (NARROW, "dark"))


class Looks:
    """How pages look on both screens, in both appearances; the system's wish is followed at once."""

    def __init__(self, page: Page, *, dark: bool) -> None:
        self._page, self._looks = page, list(LOOKS if dark else LOOKS[:2])
        self._now = self._looks[0]
        page.set_viewport_size(SMALL_DESK)  # type: ignore[arg-type]

    def each(self) -> Iterator[tuple[str, str]]:
        for size, scheme in self._looks:
            if size != self._now[0]:
                self._page.set_viewport_size(size)  # type: ignore[arg-type]
            if scheme != self._now[1]:
                self._page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            self._now = (size, scheme)
            self._page.wait_for_function(SHOWN_AS, arg=scheme)
            yield "desk" if size == SMALL_DESK else "narrow", scheme
        self._looks.reverse()


SHOWN_AS = "scheme => document.documentElement.dataset.bsTheme === scheme"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("character", PAGES)
@pytest.mark.parametrize("language", LOCALES)
def test_every_page_is_quiet_fits_and_can_be_used_by_everybody(
    character: str, language: str, server: Server, open_as: Open, request: pytest.FixtureRequest
) -> None:
    request.node.expected_noise = ["status of 404"]
    who = f"{character}-{language}" if character != "stranger" else ""
    page = open_as(who, None, locale=LOCALES[language], reduced_motion="reduce", color_scheme="light")
    english, judge, faults = language == "en", Judge(), list[str]()
    looks = Looks(page, dark=english)  # words take the same room in the dark
    for path in PAGES[character]:
        answer = page.goto(address(path, server, language))
        assert answer is not None
        assert answer.status == (404 if path == "/nothing-here/" else 200), page.url
        assert page.get_attribute("html", "lang") == language
        faults.extend(f"{page.url}: in English: {said}" for said in left_in_english(page, language))
        for screen, scheme in looks.each():
            if (over := page.evaluate(OVERFLOW)) > 0:
                faults.append(f"{page.url}: {over} px too wide: {screen} {scheme}")
            if english and screen == "desk":
                wide = page.evaluate(HIDDEN, ".table-scroll")
                faults.extend(f"{page.url}: a table is {over} px too wide" for over in wide if over > 0)
            # Contrast depends on the appearance, names on the language, structure on the screen: this covers all three.
            if (language, screen, scheme) in (("en", "desk", "light"), ("ja", "narrow", "light")):
                faults.extend(judge.structure(page))
            if english and (screen, scheme) != ("narrow", "light"):
                faults.extend(judge.contrast(page))
    assert faults == []


def test_no_column_of_the_events_and_no_choice_of_an_approver_is_cut_on_a_small_desk(
    server: Server, open_as: Open
) -> None:
    for language in ("en", "it"):
        page = open_as(f"owner-{language}", None, locale=LOCALES[language], viewport=SMALL_DESK)
        page.goto("/events/")
        assert page.evaluate(HIDDEN, "#events .table-scroll") == [0]
        page.goto(address("/requests/{waiting}/", server, language))
        assert all(room >= 0 for room in page.evaluate(ROOM, "#request select"))


def test_the_appearance_that_somebody_chose_stays(open_as: Open) -> None:
    page = open_as("owner", "/", color_scheme="light")
    page.get_by_label("Appearance").first.select_option("dark")
    page.goto("/machines/")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.get_by_label("Appearance").first.select_option("system")
    assert page.get_attribute("html", "data-bs-theme") == "light"


def test_the_menu_of_a_phone_reaches_everything_and_closes_again(open_as: Open) -> None:
    page = open_as("owner", "/", viewport=PHONE)
    page.get_by_text("More", exact=True).click()
    assert page.locator(".nav-more .sheet").get_by_text("Events").is_visible()
    page.keyboard.press("Escape")
    page.locator(".nav-more .sheet").get_by_text("Events").wait_for(state="hidden")


def test_a_stranger_chooses_the_language_before_signing_in(open_as: Open) -> None:
    page = open_as("", "/accounts/login/", locale="it-IT")
    assert page.get_by_role("heading", level=1).inner_text() == "Accedi"
    page.get_by_label("Lingua").select_option("ja")
    page.get_by_role("heading", name="サインイン").wait_for()
