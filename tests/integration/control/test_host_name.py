# SPDX-License-Identifier: Apache-2.0
"""A console whose address is a number: setup, doctor and pages say that passkeys do not work there, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from django.test import Client

from portineria.control.doctor import examine
from portineria.control.settings.host_name import give, is_host_name
from portineria.control.settings.server import PREFIX, load
from portineria.control.settings.start import current, use
from portineria.doctor.finding import Level
from portineria.process.settings import BadSettings
from tests.integration.control.browsing import BACKEND
from tests.integration.control.commands import run, surroundings
from tests.integration.control.world import World

pytestmark = pytest.mark.sqlite  # nothing here is of the database


def numbered(state: Path, more: str = "") -> Path:
    file = state / "portineria.toml"
    file.write_text(f"{more}public_url = 'https://192.0.2.7:8443'  # of the hall\nlease_s = 31\n")
    return file


def test_setup_says_it_where_nobody_can_be_asked_and_asks_on_a_terminal(tmp_path: Path) -> None:
    file = numbered(tmp_path)
    done = run(tmp_path, "setup", "--bare")
    assert done.returncode == 0, done.stderr
    for words in ("public_url https://192.0.2.7:8443 is a number", "Passkeys will not work", "(TOTP)", "--host NAME"):
        assert words in done.stdout
    master, terminal = os.openpty()
    os.write(master, b"Gate.example\n")
    asked = subprocess.run(
        [sys.executable, "-m", "portineria.cli.main", "setup", "--bare", "--state", str(tmp_path)],
        env=surroundings(), stdin=terminal, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(master)
    os.close(terminal)
    assert "Host name of the console (" in asked.stdout
    assert "empty: 192.0.2.7 stays" in asked.stdout
    assert "public_url is https://gate.example:8443 now" in asked.stdout
    assert "is a number" not in asked.stdout.partition("now; ")[2]
    assert file.read_text() == 'public_url = "https://gate.example:8443"  # of the hall\nlease_s = 31\n'


def test_the_doctor_says_it(tmp_path: Path) -> None:
    numbered(tmp_path)
    _, found = next(looked := examine(tmp_path, {})), next(looked)
    assert (found.check, found.level) == ("host-name", Level.WARNING)
    assert "(TOTP)" in found.means
    assert "--host NAME" in found.remedy
    give(load(tmp_path), "gate.example")
    assert "host-name" not in [next(looked).check for looked in [examine(tmp_path, {})] for _ in range(3)]


@pytest.mark.parametrize(
    ("before", "host", "after"),
    [
        ("", "gate.example", "https://gate.example:8443"),
        ('public_url = "http://127.0.0.1:9000"\n', "localhost", "http://localhost:9000"),
        ('public_url = "https://[2001:db8::7]"\n[lost]\n', "gate", ""),
        ('lease_s = 31\npublic_url = "https://[2001:db8::7]"\n', "gate", "https://gate"),
    ],
)  # fmt: skip
def test_a_name_is_written_and_everything_else_stays(tmp_path: Path, before: str, host: str, after: str) -> None:
    file = tmp_path / "portineria.toml"
    file.write_text(before)
    file.chmod(0o640)
    if not after:  # what is misspelt is refused before anything is written
        with pytest.raises(BadSettings):
            give(load(tmp_path), host)
        assert file.read_text() == before
        return
    give(load(tmp_path), host)
    assert load(tmp_path).public_url == after
    assert ("lease_s = 31" in before, file.stat().st_mode & 0o777) == ("lease_s = 31" in file.read_text(), 0o640)
    assert [one.name for one in tmp_path.iterdir()] == ["portineria.toml"]


def test_only_a_host_name_is_written_and_not_where_it_would_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = numbered(tmp_path)
    before = file.read_text()
    assert not any(map(is_host_name, ["192.0.2.7", "::1", "gate.7", "https://gate", "gate:1", 'g"', "", "-a", "a..b"]))
    for name in ("192.0.2.8", "https://gate.example", "x" * 64):
        with pytest.raises(BadSettings, match="no host name"):
            give(load(tmp_path), name)
    file.write_text(before.replace("public_url", '"public_url"'))
    with pytest.raises(BadSettings, match="into it yourself"):
        give(load(tmp_path), "gate.example")
    file.write_text(before)
    monkeypatch.setenv(f"{PREFIX}PUBLIC_URL", "https://192.0.2.9")
    with pytest.raises(BadSettings, match="would win"):
        give(load(tmp_path), "gate.example")
    assert file.read_text() == before


def test_pages_say_it_instead_of_failing_in_the_browser(world: World) -> None:
    pages = ("/accounts/2fa/webauthn/add/", "/accounts/2fa/", "/accounts/login/")
    before = current()
    for host, url in (("127.0.0.1", "https://gate.example"), ("127.0.0.1", "https://127.0.0.1"), ("localhost", "")):
        client = Client(HTTP_HOST=host)
        client.force_login(world.technician, backend=BACKEND)
        use(msgspec.structs.replace(before, public_url=url or before.public_url))
        try:
            shown = [one.get(page).content.decode() for page in pages
                     for one in [Client(HTTP_HOST=host) if "login" in page else client]]  # fmt: skip
        finally:
            use(before)
        for page, text in zip(pages, shown, strict=True):
            assert ("Passkeys do not work at this address" in text) == (host != "localhost"), (page, text)
            assert ("portineria setup --bare --host NAME" in text) == (url == "https://127.0.0.1"), page
            assert ('<a href="https://gate.example">' in text) == (url == "https://gate.example"), page
        assert ("mfa_webauthn_add" in shown[0]) == (host == "localhost")
