# SPDX-License-Identifier: Apache-2.0
"""The language of a page: the person's choice, before it the browser's."""

from __future__ import annotations

import re

import pytest

from portineria.control.identity.models import Person
from tests.integration.control.browsing import signed_in
from tests.integration.control.world import World, fresh


def language(person: Person, *, browser: str = "", cookie: str = "") -> str:
    client = signed_in(person)
    if cookie:
        client.cookies["django_language"] = cookie
    page = client.get("/account/", headers={"accept-language": browser} if browser else {}).content.decode()
    [found] = re.findall(r'<html lang="(\w+)"', page)
    return str(found)


@pytest.mark.parametrize(
    ("browser", "cookie", "shown"),
    [("it-IT,it;q=0.9,en;q=0.5", "", "it"), ("ja", "", "ja"), ("ja", "it", "it"), ("fr", "", "en"), ("", "", "en")],
)
def test_who_has_not_chosen_a_language_keeps_the_browsers_after_sign_in(
    world: World, browser: str, cookie: str, shown: str
) -> None:
    assert world.owner.language == ""
    assert language(world.owner, browser=browser, cookie=cookie) == shown


def test_a_choice_holds_in_every_browser_until_it_is_taken_back(world: World) -> None:
    client = signed_in(world.owner)
    client.post("/language/", {"language": "ja", "next": "/"})
    assert language(world.owner, browser="it", cookie="en") == "ja"
    account = {"name": "Owner", "language": "", "time_zone": "Europe/Rome"}
    assert client.post("/account/", account).status_code == 302
    assert fresh(world.owner).language == ""
    assert language(world.owner, browser="it") == "it"


def test_the_account_page_shows_that_nothing_was_chosen(world: World) -> None:
    page = signed_in(world.owner).get("/account/", headers={"accept-language": "en"}).content.decode()
    assert re.search(r'<option value="" selected>As the browser asks</option>', page)
