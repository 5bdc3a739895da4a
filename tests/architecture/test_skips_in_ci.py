# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
SKIPPING = {
    "one test": "import pytest\n\ndef test_a():\n    pytest.skip('apt-get install squid')\n",
    "a whole module": "import pytest\npytest.skip('apt-get install squid', allow_module_level=True)\n",
}


def run_pytest(folder: Path, ci: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_passes.py").write_text("def test_b():\n    assert True\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a dozen of them, of which xdist is meant
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]], ids=["alone", "in two processes"])
@pytest.mark.parametrize("text", SKIPPING.values(), ids=SKIPPING)
def test_a_skip_fails_the_run_in_ci_and_names_its_reason(tmp_path: Path, text: str, arguments: list[str]) -> None:
    (tmp_path / "test_skips.py").write_text(text)
    done = run_pytest(tmp_path, "true", *arguments)
    assert done.returncode == 1, done.stdout
    assert "counts as failed" in done.stdout
    assert "apt-get install squid" in done.stdout


def test_a_skip_is_allowed_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPPING["one test"])
    assert run_pytest(tmp_path, "").returncode == 0


def test_a_run_without_skips_passes_in_ci(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, "true", "-n", "2").returncode == 0
