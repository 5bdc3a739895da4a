# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from portineria.control.settings.server import ServerSettings, load
from portineria.process.settings import BadSettings


def test_without_a_file_everything_is_on_loopback(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert [(p.listen, p.host, p.port) for p in settings.places()] == [("127.0.0.1:8443", "localhost", 8443)]
    assert not settings.secure


def test_a_public_address_is_served_on_all_addresses(tmp_path: Path) -> None:
    (tmp_path / "portineria.toml").write_text('public_url = "https://gate.example"\n')
    [place] = load(tmp_path).places()
    assert (place.listen, place.host, place.port) == ("[::]:443", "gate.example", 443)


def test_relays_may_be_reached_by_another_address_than_they_listen_on(tmp_path: Path) -> None:
    (tmp_path / "portineria.toml").write_text('relays = ["127.0.0.1:1=gate.example:443", "127.0.0.1:2"]\n')
    assert [(p.host, p.port) for p in load(tmp_path).places()] == [("gate.example", 443), ("localhost", 2)]


def test_a_network_inside_this_machine_may_be_named(tmp_path: Path) -> None:
    text = 'relays = ["127.0.0.1:1+10.203.0.1:1=10.203.0.1:1"]\ninner_networks = ["10.203.0.0/16"]\n'
    (tmp_path / "portineria.toml").write_text(text)
    settings = load(tmp_path)
    assert settings.places()[0].addresses == ["127.0.0.1:1", "10.203.0.1:1"]
    assert settings.inside("10.203.255.2")
    assert settings.inside("::ffff:10.203.0.2")
    assert not settings.inside("192.168.1.4")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('publik_url = "https://gate.example"', "public_url"),
        ('public_url = "http://gate.example:8443"', "loopback"),
        ('relays = ["0.0.0.0:8443"]', "https://HOST:PORT"),
        ('relays = ["[::]:8443=gate.example:443"]', "https://HOST:PORT"),
        ('relays = ["127.0.0.1:8443+192.168.1.4:8443"]', "192.168.1.4:8443 is not loopback"),
        ('relays = ["10.203.0.1:8443"]\ninner_networks = ["10.204.0.0/16"]', "not loopback"),
        ('inner_networks = ["10.203.0.1/16"]\nrelays = ["10.203.0.1:1"]', "write like 10.203.0.0/16"),
        ('public_url = "ftp://gate.example"', "https://"),
        ('console_key = "key.pem"', "together"),
        ('relays = ["nowhere"]', "host:port"),
        ("lease_s = 0", "lease_s"),
        ("lease_s = ", "portineria.toml"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_would_be_right(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "portineria.toml").write_text(text + "\n")
    with pytest.raises(BadSettings, match=word):
        load(tmp_path)


def test_the_environment_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "portineria.toml").write_text("lease_s = 10\n")
    monkeypatch.setenv("PORTINERIA_SERVER_LEASE_S", "7")
    assert load(tmp_path).lease_s == 7
    monkeypatch.setenv("PORTINERIA_SERVER_LEASES", "7")
    with pytest.raises(BadSettings, match="lease_s"):
        load(tmp_path)


def test_every_setting_is_described() -> None:
    bare = [field.name for field in msgspec.structs.fields(ServerSettings) if not description(field.type)]
    assert bare == []


def description(annotated: object) -> str:
    return next((meta.description or "" for meta in getattr(annotated, "__metadata__", ())), "")


_KEEPS = """
import gc, sys
from pathlib import Path
from portineria.control.settings import start
from portineria.control.settings.master_key import make_master_key
from portineria.control.settings.server import load
make_master_key(Path(sys.argv[1]))
start._TIMES = 3
start.use(load(Path(sys.argv[1])))
before = [row["collections"] for row in gc.get_stats()]
kept = [[number] for number in range(50_000)]
print(*(row["collections"] - was for row, was in zip(gc.get_stats(), before)))
counts = []
for objects in (0, 1000, 30_000, 30_000, 30_000):
    kept.append([[number] for number in range(objects)])
    gc.collect()
    counts.append(gc.get_freeze_count())
print(*(after - was > 20_000 for was, after in zip(counts, counts[1:])))
"""


def test_what_pages_make_and_drop_is_seldom_looked_through(tmp_path: Path) -> None:
    """With Python's own thresholds these 50,000 objects bring 71 looks, 7 of them at what survived one."""
    done = subprocess.run([sys.executable, "-c", _KEEPS, str(tmp_path)], capture_output=True, text=True, check=True)
    looks, spared = done.stdout.splitlines()
    assert spared == "False True True False"  # of what stays much is not looked at again, and not for ever
    young, survivors, everything = map(int, looks.split())
    assert (young <= 6, survivors <= 2, everything) == (True, True, 0)
