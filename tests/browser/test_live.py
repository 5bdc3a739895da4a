# SPDX-License-Identifier: Apache-2.0
"""What moves while somebody looks on, and what somebody else did a moment before."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import PHONE, START_S, Open, Server

pytestmark = pytest.mark.browser


def test_figures_of_a_running_connection_move_on_the_open_page(server: Server, open_as: Open) -> None:
    session = server.ids["session-en"]
    page, home = open_as("technician-en", f"/sessions/{session}/"), open_as("owner", "/", viewport=PHONE)
    row = page.locator("tr", has_text="Registers")
    expect(row.get_by_text("counting").first).to_be_visible()
    for to_device, there, back in ((3 << 10, "3.0 KiB", "6.0 KiB"), (5 << 20, "5.0 MiB", "10.0 MiB")):
        server.traffic(session, to_device)
        expect(row.get_by_text(there, exact=True)).to_be_visible()
        expect(row.get_by_text(back, exact=True)).to_be_visible()
        expect(page.get_by_text("Last counted:")).to_be_visible()
    of_it = home.locator("li", has=home.locator(f"#to-{session}"))
    expect(of_it.get_by_text("5.0 MiB to the machine, 10.0 MiB from it")).to_be_visible()


HOSTILE = "<b id=evil>tag</b> \u202ereversed"


def test_work_is_watched_as_it_is_done_and_both_sides_know(server: Server, open_as: Open) -> None:
    """Rows come by themselves, the newest first; names from the wire are text; the technician sees who looks on."""
    session = server.ids["session-inspected"]
    technician = open_as("technician", f"/sessions/{session}/", viewport=PHONE)
    owner = open_as("owner-it", f"/sessions/{session}/", locale="it-IT")
    expect(technician.get_by_text("Somebody looks on at your work.")).to_be_visible()
    expect(technician.locator("#watched")).to_contain_text("Owner")
    shown = owner.locator("#operations tbody tr")
    deadline, part = time.monotonic() + START_S, 0
    while shown.count() < 3:  # the page's stream stands a moment after the page
        assert time.monotonic() < deadline
        server.glance(session, part := part + 1, HOSTILE)
        owner.wait_for_timeout(300)
    write = shown.filter(has_text="write-single-register").first
    expect(write).to_contain_text("<b id=evil>tag</b>")
    expect(write).to_contain_text("rifiutata")
    assert owner.locator("#evil").count() == 0
    read = shown.filter(has_text="120, 121, 0, 7").first
    expect(read).to_contain_text("3 ×")
    expect(read.get_by_text("nuovo per questo fornitore")).to_be_visible()
    expect(write.get_by_text("nuovo per questo fornitore")).to_be_hidden()  # it was refused
    expect(technician.locator("#operations tbody tr").filter(has_text="write-single-register").first).to_be_visible()

    before = shown.count()
    server.traffic(session, 4096)  # the page asks again, and what was seen stays
    expect(owner.get_by_text("4,0 KiB").first).to_be_visible()
    assert shown.count() == before
    owner.get_by_role("button", name="Ferma l'elenco").click()
    server.glance(session, part + 1, "holding 777")
    expect(technician.locator("#operations").get_by_text("holding 777")).to_be_visible()
    assert shown.filter(has_text="holding 777").count() == 0
    owner.get_by_role("button", name="Ferma l'elenco").click()
    expect(shown.first.or_(shown.nth(1)).first).to_be_visible()
    expect(owner.locator("#operations").get_by_text("holding 777")).to_be_visible()
    owner.close()
    expect(technician.locator("#watched")).to_have_count(0)


def test_the_second_of_two_approvals_at_once_is_told_who_was_first(server: Server, open_as: Open) -> None:
    path = f"/requests/{server.ids['waiting']}/"
    first, second = open_as("owner", path), open_as("signer", path)
    second.get_by_label("Remark").fill("Only with the shift lead")  # so the page stays as it is meanwhile
    first.get_by_role("button", name="Approve").click()
    expect(first.get_by_text("Approved.")).to_be_visible()
    second.get_by_role("button", name="Approve").click()
    alert = second.get_by_role("alert")
    expect(alert.get_by_text("This request is decided already.")).to_be_visible()
    expect(alert.get_by_text("Nothing was changed.")).to_be_visible()
    expect(second.get_by_role("heading", name="Decision")).to_be_visible()
    expect(second.get_by_role("button", name="Approve")).to_have_count(0)


def test_an_approval_after_the_request_was_withdrawn_says_so(server: Server, open_as: Open) -> None:
    path = f"/requests/{server.ids['waiting-en']}/"
    owner, technician = open_as("owner", path), open_as("technician-en", path)
    owner.get_by_label("Remark").fill("Only with the shift lead")
    technician.get_by_role("button", name="Withdraw the request").click()
    expect(technician.get_by_text("Your request is withdrawn.")).to_be_visible()
    owner.get_by_role("button", name="Approve").click()
    expect(owner.get_by_role("alert").get_by_text("This request is decided already.")).to_be_visible()
    expect(owner.locator(".page-head").get_by_text("withdrawn")).to_be_visible()


def test_a_cut_while_the_session_opens_waits_for_the_gateways_word(server: Server, open_as: Open) -> None:
    session = server.ids["session-opening"]
    page = open_as("owner", f"/sessions/{session}/")
    page.locator("#cut").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("Wrong machine")
    page.get_by_role("dialog").get_by_role("button", name="Cut now").click()
    expect(page.get_by_text("Cutting…", exact=True)).to_be_visible()
    expect(page.get_by_text("Cut.", exact=True)).to_have_count(0)
    server.receipt(session)
    expect(page.get_by_text("Cut.", exact=True)).to_be_visible()


def test_a_receipt_that_comes_before_the_page_listens_is_shown(server: Server, open_as: Open) -> None:
    path = f"/sessions/{server.ids['session-parting']}/"
    page = open_as("owner", None)
    held: list[Route] = []
    page.route("**/live/**", lambda route: held.append(route))
    with page.expect_request("**/live/**"):
        page.goto(path)
    expect(page.get_by_text("Cutting…", exact=True)).to_be_visible()
    server.receipt(server.ids["session-parting"])
    until_it_says(page, path, "The gateway signed for it")  # the receipt is there, and nobody has told this page
    expect(page.get_by_text("Cutting…", exact=True)).to_be_visible()
    held[0].continue_()
    expect(page.get_by_text("Cut.", exact=True)).to_be_visible()


def until_it_says(page: Page, path: str, text: str) -> None:
    """Asks beside the open page, which stays as it is."""
    deadline = time.monotonic() + START_S
    while text not in page.request.get(path).text():
        assert time.monotonic() < deadline, f"{path} never said {text!r}"


def seconds_left(countdown: Locator) -> int:
    hours, minutes, seconds = f"0:{countdown.inner_text()}".split(":")[-3:]
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds)


def test_owner_and_technician_see_the_time_to_finish_run_down_and_may_cut(server: Server, open_as: Open) -> None:
    session = server.ids["session-draining"]
    for who in ("owner", "technician"):
        page = open_as(who, f"/sessions/{session}/")
        note = page.get_by_role("status").filter(has_text="Finishing.")
        countdown = note.locator(".countdown")
        expect(countdown).to_have_text(re.compile(r"^[\d:]+$"))
        before = seconds_left(countdown)
        # It runs down second by second. More than the page's own renewals account for: those are two at the most.
        for _ in range(4):
            shown = countdown.inner_text()
            expect(countdown).not_to_have_text(shown)
        assert seconds_left(countdown) <= before - 4
        expect(page.locator("#cut")).to_be_visible()
        page.locator("#cut").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
        page.keyboard.press("Escape")
