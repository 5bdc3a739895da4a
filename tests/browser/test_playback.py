# SPDX-License-Identifier: Apache-2.0
"""A recording looked through in the browser: opened there, by a file that stays there."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Request, expect

from tests.browser.conftest import PHONE, Open, Server

pytestmark = pytest.mark.browser


def test_a_recording_is_searched_and_its_refusals_found_with_an_identity_that_is_never_sent(
    server: Server, open_as: Open, tmp_path: Path
) -> None:
    page = open_as("owner", f"/sessions/{server.ids['session-cut']}/")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    page.get_by_role("link", name="Look through it").click()
    wrong, right = tmp_path / "wrong.txt", tmp_path / "identity.txt"
    wrong.write_text("# nothing in it\nAGE-SECRET-KEY-1QQQQ\n")
    right.write_text(f"# created: today\n{server.ids['identity']}\n")
    page.get_by_label("Identity file").set_input_files(wrong)
    expect(page.get_by_text("This file opens no part of the recording.")).to_be_visible()
    page.get_by_label("Identity file").set_input_files(right)
    rows, shown = page.locator("#played tbody tr"), page.locator("[data-shown]")
    expect(shown).to_have_text("301")
    expect(rows.first).to_contain_text("holding 1")
    expect(rows).to_have_count(200)

    marked = page.locator("#played tr.marked")
    for place in ("120", "290"):
        page.get_by_role("button", name="Next refusal").click()
        expect(marked).to_contain_text("<img src=x id=evil>")
        expect(marked).to_contain_text("1500")
        expect(page.locator("#played tbody")).to_contain_text(f"holding {int(place) - 1}")
    assert page.locator("#evil").count() == 0

    columns, refusals = page.locator("#in-time .bar-inside"), page.locator("#in-time .bar-refused")
    expect(refusals).to_have_count(2)
    assert 1 < columns.count() <= 120
    page.locator("#in-time").click(position={"x": 2, "y": 20})
    expect(marked).to_contain_text("holding 1")
    expect(rows.first).to_contain_text("holding 1")

    page.get_by_label("Decision of the gateway").select_option("cut")
    for part in ("cut out", "password", "rule s7comm.password", "to the device, from byte 0", "8 bytes"):
        expect(rows).to_contain_text([part])
    page.get_by_label("Decision of the gateway").select_option("refused")
    expect(shown).to_have_text("2")
    expect(columns).to_have_count(2)
    page.get_by_label("Decision of the gateway").select_option("")
    page.get_by_label("Target").fill("holding 29")
    expect(shown).to_have_text("10")  # 29, and 291 to 299
    page.get_by_label("Kind").select_option("write")
    expect(shown).to_have_text("0")
    secret = server.ids["identity"].encode()
    assert not [one.url for one in asked if secret in (one.post_data_buffer or b"") or secret.decode() in one.url]
    assert {one.method for one in asked} == {"GET"}

    page.goto(f"/sessions/{server.ids['session-cut']}/")
    expect(page.get_by_text("Recording was read")).to_have_count(1)  # once, though two files were tried
    technician = open_as("technician", f"/sessions/{server.ids['session-cut']}/", viewport=PHONE)
    expect(technician.get_by_role("link", name="Look through it")).to_have_count(0)
