# SPDX-License-Identifier: Apache-2.0
"""What pages tell to type on a server and no other test runs, as it stands there, in one process after the other's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyrage import x25519

from tests.architecture.test_commands_in_documents import ROOT, commands
from tests.integration.control.commands import surroundings

pytestmark = pytest.mark.sqlite  # its server has a database of its own

VERBS = {"rules.md": {"lock", "unlock"}, "api.md": {"service-account"}, "recordings.md": {"recording recipients"}}
# The command line of each, in one process: to start Django costs more than all of them.
TYPED = """
import contextlib, io, json, sys
from pathlib import Path
from portineria.cli.main import main
state = sys.argv[1]
main(["setup", "--state", state, "--organisation", "Presses", "--name", "Owner", "--email", "owner@example.com"])
from portineria.control.estate.models import Gateway, Machine
from portineria.control.estate.services import create_plant
from portineria.control.identity.models import Organisation, Person
plant = create_plant(
    actor=Person.objects.get(), organisation=Organisation.objects.get().public_id, name="North", time_zone="UTC"
)
gateway = Gateway.objects.create(
    public_id="gwy_a", plant=plant, name="cabinet", tls_key=b"k", spki_sha256=b"s" * 32, event_key=b"e" * 32,
    sealing_key=b"x" * 32,
)
Machine.objects.create(public_id="mch_a", plant=plant, gateway=gateway, name="Press 3")
said = []
for words in json.loads(sys.argv[2]):
    if "lck_…" in words:
        words = [said[0][1].split(":")[0] if word == "lck_…" else word for word in words]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        status = main([*words, "--state", state])
    said.append((status, out.getvalue()))
print(json.dumps(said))
"""
KEY = str(x25519.Identity.generate().to_public())


def typed() -> list[list[str]]:
    found = []
    for page, verbs in VERBS.items():
        for words in commands((ROOT / "docs/howto" / page).read_text()):
            if words[0] in verbs or " ".join(words[:2]) in verbs:
                plain = words[: words.index("--state")] if "--state" in words else words
                found.append([KEY if word == "age1…" else word for word in plain if word != "[age1…]"])
    return found


def test_what_pages_tell_to_type_on_the_server_does_what_they_say(tmp_path: Path) -> None:
    words = typed()
    done = subprocess.run(
        [sys.executable, "-c", TYPED, str(tmp_path / "state"), json.dumps(words)], env=surroundings(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert [(one, text) for one, (status, text) in zip(words, said, strict=True) if status] == []
    machine, everything, listed, lifted, account, token, *recipients = (text for _status, text in said)
    assert "machine North/Press 3 is locked" in machine
    assert "everything is locked" in everything
    assert re.search(r"smoke at the press[\s\S]*we are under attack|we are under attack[\s\S]*smoke", listed)
    assert "lck_" in lifted
    assert "Maintenance planner" in account
    assert re.search(r"^ {4}portineria_\S+$", token, re.MULTILINE)
    assert [KEY in text for text in recipients] == [False, True, False]
