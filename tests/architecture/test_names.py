# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A module named after nothing collects everything.
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "shared", "tools", "stuff"}
APP_LABELS_TAKEN = {"sessions", "sites", "messages", "auth", "admin", "account", "mfa", "socialaccount", "usersessions"}


def says_nothing(path: Path) -> bool:
    return any(part.removesuffix(".py").lstrip("_") in EMPTY_NAMES for part in path.parts)


def test_no_module_is_named_after_nothing() -> None:
    modules = [p.relative_to(ROOT) for folder in ("src", "tests", "scripts") for p in (ROOT / folder).rglob("*.py")]
    assert modules
    assert [str(path) for path in modules if says_nothing(path)] == []


def test_no_app_takes_a_label_of_django_or_allauth() -> None:
    apps = {path.name for path in (ROOT / "src/portineria/control").iterdir() if path.is_dir()}
    assert apps & APP_LABELS_TAKEN == set()


@pytest.mark.parametrize("place", ["a/utils.py", "a/common/frames.py", "a/_helpers.py", "misc.py"])
def test_such_a_name_is_found(place: str) -> None:
    assert says_nothing(Path(place))
    assert not says_nothing(Path("wire/frame.py"))
