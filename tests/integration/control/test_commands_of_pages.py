# SPDX-License-Identifier: Apache-2.0
"""What pages tell to type on a server and no other test runs, as it stands there, by the command line's own code."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pyrage import x25519

from portineria.cli.main import main
from portineria.control.settings.start import current, use
from tests.architecture.test_commands_in_documents import ROOT, commands
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite

VERBS = {"rules.md": {"lock", "unlock"}, "api.md": {"service-account"}, "recordings.md": {"recording recipients"}}
KEY = str(x25519.Identity.generate().to_public())


@pytest.fixture
def state() -> Iterator[str]:
    """Of this very installation, which a command opens as its own."""
    before = current()
    yield str(before.state)
    use(before)


def typed() -> list[list[str]]:
    found = []
    for page, verbs in VERBS.items():
        for words in commands((ROOT / "docs/howto" / page).read_text()):
            if words[0] in verbs or " ".join(words[:2]) in verbs:
                plain = words[: words.index("--state")] if "--state" in words else words
                found.append([KEY if word == "age1…" else word for word in plain if word != "[age1…]"])
    return found


def test_what_pages_tell_to_type_on_the_server_does_what_they_say(
    world: World, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    for words in typed():
        whose = [] if words[0] == "unlock" or words[1] == "list" else ["--organisation", "Owner's plant"]
        lock = said[0].split(":")[0] if said else ""
        status = main([*(lock if word == "lck_…" else word for word in words), *whose, "--state", state])
        shown = capsys.readouterr()
        assert status == 0, (words, shown.err)
        said.append(shown.out)
    machine, everything, listed, lifted, account, token, *recipients = said
    assert "machine North/Press 3 is locked" in machine
    assert "everything is locked" in everything
    assert {"smoke at the press", "we are under attack"} <= set(
        re.findall(r"smoke at the press|we are under attack", listed)
    )
    assert "lck_" in lifted
    assert "Maintenance planner" in account
    assert re.search(r"^ {4}portineria_\S+$", token, re.MULTILINE)
    assert [KEY in text for text in recipients] == [False, True, False]
