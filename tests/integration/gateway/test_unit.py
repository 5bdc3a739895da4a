# SPDX-License-Identifier: Apache-2.0
"""How a gateway is installed: what the handbook says, what the wheel holds and what the unit starts are one thing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from portineria.cli.main import main
from portineria.dataplane.gateway.unit import APART, OutOfSight, unit

ROOT = Path(__file__).resolve().parents[3]
HANDBOOKS = [ROOT / "docs/howto/gateway.md", ROOT / "docs/howto/first-plant.md"]
FROM_THE_WHEEL = "import pathlib, sys; from portineria.dataplane.gateway.unit import unit; "
FROM_THE_WHEEL += "sys.stdout.write(unit(pathlib.Path('/bin/sh')))"


def test_the_wheel_holds_the_unit(tmp_path: Path) -> None:
    tree = tmp_path / "tree"  # building writes translations, which other tests read meanwhile
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "package.json", "package-lock.json", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=tree, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    program = f"{FROM_THE_WHEEL}; import portineria; sys.stderr.write(portineria.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=surroundings, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr.startswith(str(tmp_path / "installed"))
    assert "\nExecStart=/bin/sh gateway run --state %S/portineria-gateway\n" in done.stdout


@pytest.mark.parametrize("handbook", HANDBOOKS, ids=lambda path: path.stem)
def test_the_handbook_installs_where_the_service_may_look(handbook: Path) -> None:
    text = handbook.read_text()
    assert APART in text
    [installed] = re.findall(r"venv (\S+)", APART)
    assert f"sudo ln -s {installed}/bin/portineria /usr/local/bin/" in text
    assert "portineria gateway unit | sudo tee /etc/systemd/system/portineria-gateway.service" in text


@pytest.mark.parametrize("home", ["/home/.local/bin", "/root/.local/bin", "/tmp/venv/bin"])
def test_a_program_that_the_service_cannot_see_gets_no_unit(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OutOfSight):
        unit(Path(home, "portineria"))
    monkeypatch.setattr(sys, "executable", f"{home}/python")
    assert main(["gateway", "unit"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert APART in said.err
