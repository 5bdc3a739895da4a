# SPDX-License-Identifier: Apache-2.0
import os
import stat
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from portineria.dataplane.relay.settings import RelaySettings
from portineria.process.settings import BadSettings, read_settings, write_settings

PREFIX = "PORTINERIA_DOOR_"


class DoorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(description="In lists and lights.")]
    listen: Annotated[list[str], Meta(description="host:port, one or several")] = []
    relays: list[str] | None = None
    setups: Annotated[int, Meta(gt=0)] = 10
    heartbeat_s: float = 15
    nested: bool = False
    console: str | None = None
    folder: Path = Path("/var/lib/door")


def read(path: Path | None = None, *, ignore: frozenset[str] = frozenset()) -> DoorSettings:
    return read_settings(DoorSettings, path, prefix=PREFIX, ignore=ignore)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text('name = "south"\nlisten = ["[::]:443"]\nsetups = 5\n', "utf-8")
    return path


def test_the_file_is_read_and_what_it_leaves_out_has_its_default(file: Path) -> None:
    assert read(file) == DoorSettings("south", ["[::]:443"], setups=5)


def test_a_variable_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTINERIA_DOOR_SETUPS", "7")
    monkeypatch.setenv("PORTINERIA_DOOR_NESTED", "true")
    monkeypatch.setenv("PORTINERIA_DOOR_FOLDER", "/srv/door")
    assert read(file) == DoorSettings("south", ["[::]:443"], setups=7, nested=True, folder=Path("/srv/door"))


def test_without_a_file_the_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTINERIA_DOOR_NAME", "north")
    assert read() == DoorSettings("north")


@pytest.mark.parametrize(
    ("text", "items"),
    [("[::]:443,0.0.0.0:80", ["[::]:443", "0.0.0.0:80"]), (" a , b ", ["a", "b"]), ("a", ["a"]), ("", [])],
)
def test_a_list_is_written_with_commas(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str, items: list[str]
) -> None:
    monkeypatch.setenv("PORTINERIA_DOOR_LISTEN", text)
    monkeypatch.setenv("PORTINERIA_DOOR_RELAYS", text)
    assert read(file).listen == items
    assert read(file).relays == items


def test_a_description_that_speaks_of_lists_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTINERIA_DOOR_NAME", "south, west")
    assert read().name == "south, west"


def test_every_setting_of_the_relay_can_be_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = RelaySettings(
        relay="rel_aaaaaaaaaaaaaaaa", listen=["127.0.0.1:0"], certificate=tmp_path / "c", key=tmp_path / "k",
        gateway_issuer=tmp_path / "i", ticket_key="ab", bus=str(tmp_path / "b"), bus_seed=tmp_path / "s",
        bus_ca=tmp_path / "ca", console=tmp_path / "con", balancers=["192.0.2.1", "192.0.2.2"],
        lock=tmp_path / "l", nested_only=True, pairing_s=2.5, pipes=0,
    )  # fmt: skip
    for field in msgspec.structs.fields(RelaySettings):
        value = getattr(given, field.name)
        monkeypatch.setenv(
            f"PORTINERIA_RELAY_{field.name.upper()}", ",".join(value) if isinstance(value, list) else str(value)
        )
    assert read_settings(RelaySettings, None, prefix="PORTINERIA_RELAY_") == given


def test_a_misspelt_key_is_refused_with_its_nearest_right_name(file: Path) -> None:
    file.write_text('name = "south"\nlisen = []\n', "utf-8")
    with pytest.raises(BadSettings, match=r"door\.toml: there is no setting 'lisen'; did you mean listen\?"):
        read(file)


def test_a_misspelt_variable_is_refused_by_its_whole_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTINERIA_DOOR_SETUP", "7")
    with pytest.raises(BadSettings, match=r"PORTINERIA_DOOR_SETUP: .*did you mean setups\?"):
        read(file)


def test_a_name_like_no_other_gets_no_hint(file: Path) -> None:
    file.write_text('name = "south"\nzzz = 1\n', "utf-8")
    with pytest.raises(BadSettings, match=r"'zzz'$"):
        read(file)


def test_somebody_elses_variable_can_be_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTINERIA_DOOR_BELL", "1")
    assert read(file, ignore=frozenset({"PORTINERIA_DOOR_BELL"})).name == "south"
    monkeypatch.setenv("PORTINERIA_WINDOW_BELL", "1")  # another prefix is never ours
    with pytest.raises(BadSettings, match="DOOR_BELL"):
        read(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "south"\nsetups = 0\n', r"setups"),
        ('name = "south"\nnested = "perhaps"\n', r"nested"),
        ("setups = 3\n", r"name"),
        ('name = "south\n', r"door\.toml"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(file: Path, text: str, said: str) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(BadSettings, match=said):
        read(file)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"absent\.toml: No such file"):
        read(tmp_path / "absent.toml")
    with pytest.raises(BadSettings, match="Is a directory"):
        read(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(BadSettings, match=r"bad\.toml"):
        read(tmp_path / "bad.toml")


# -- writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "line\nbreak", "tab\t", "del\x7f", "プラント", "\u0001", ""])
def test_what_was_written_is_read_back(tmp_path: Path, name: str) -> None:
    settings = DoorSettings(name, ["a", name], setups=3, heartbeat_s=0.5, nested=True)
    write_settings(tmp_path / "door.toml", settings)
    assert read(tmp_path / "door.toml") == settings


def test_only_the_owner_can_read_it_even_after_a_crash_left_a_half_written_one(tmp_path: Path) -> None:
    left = tmp_path / "door.new"
    left.write_text("half", "utf-8")
    left.chmod(0o644)
    os.umask(os.umask(0o022))
    write_settings(tmp_path / "door.toml", DoorSettings("south"))
    assert stat.S_IMODE((tmp_path / "door.toml").stat().st_mode) == 0o600
    assert not left.exists()


def test_a_file_that_was_there_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "door.toml"
    write_settings(path, DoorSettings("a long name, longer than the next one", ["a", "b"]))
    write_settings(path, DoorSettings("b"))
    assert read(path) == DoorSettings("b")
