# SPDX-License-Identifier: Apache-2.0
"""`make pictures`: what the documents show of the console, taken of the real one into docs/pictures/."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.conftest import Open, Server

FOLDER = Path(__file__).resolve().parents[2] / "docs/pictures"
SIZE = {"width": 1200, "height": 750}
COLOURS = 64  # text and even areas: a quarter of the bytes, and nothing that an eye would miss
# Name -> whose page, its path with {names} of the world.
PICTURES = {
    "overview": ("owner", "/"),
    "approvals": ("owner", "/approvals/"),
    "request": ("owner", "/requests/{waiting}/"),
    "session": ("owner", "/sessions/{session-inspected}/"),
    "machines": ("technician", "/machines/"),
    "events": ("owner", "/events/"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_taken(name: str, server: Server, open_as: Open) -> None:
    character, path = PICTURES[name]
    page = open_as(character, path.format(**server.ids), viewport=SIZE, color_scheme="light")
    page.wait_for_load_state("load")
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="initial")))
    file = FOLDER / f"{name}.png"
    taken.convert("RGB").quantize(COLOURS).save(file, optimize=True)
    assert file.stat().st_size < 120_000
