# SPDX-License-Identifier: Apache-2.0
"""Does a test notice each small change of policy? `make deep DEEP=mutation`, or `python -m tests.mutation`.

mutmut changes one thing at a time in a copy of the pure rooms and runs the tests that reach the changed function. What
no test noticed is listed in docs/reference/mutation.md with the reason that reasons.toml gives for it; one without a
reason, or fewer than 95 of 100 noticed, is a failure. The last line that is printed is the result, as JSON.

`python -m tests.mutation --left`, after a change: again only what was left, and functions that differ.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.mutation.report import Mutant, mutant_of, page, reasons, without_reason

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / "build/mutation"
ENVIRONMENT = ROOT / ".venv/mutation"
PAGE = ROOT / "docs/reference/mutation.md"
COPIED = [
    *(f"src/portineria/{name}" for name in ("__init__.py", "core", "policy", "protocols")),
    *(f"tests/{name}" for name in ("__init__.py", "unit/__init__.py", "unit/policy")),
]
NOTICED = ("killed", "timeout")  # as mutmut counts: a loop that never ends would be seen, too
NEEDED_PERCENT = 95.0


def prepare() -> None:
    """The copy, and an environment of its own: what mutmut brings along would slow every process that a test starts."""
    for name in COPIED:
        there = TREE / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, there, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / name, there)
    shutil.copy(ROOT / "tests/mutation/settings.toml", TREE / "pyproject.toml")
    shutil.copy(ROOT / "tests/mutation/examples.py", TREE / "tests/conftest.py")
    uv = [str(Path(sys.prefix) / "bin/uv")]
    subprocess.run([*uv, "venv", "-q", "--allow-existing", "--python", sys.executable, ENVIRONMENT], check=True)
    python = ["--python", str(ENVIRONMENT / "bin/python")]
    subprocess.run([*uv, "pip", "install", "-q", *python, "--group", "mutation"], cwd=ROOT, check=True)


def mutmut(*arguments: str) -> str:
    """What it printed. Raise CalledProcessError when it could not even begin. The machine's own zone is one in which
    no plant of the tests lies, so that to ask for it instead of the plant's makes a difference.
    """
    command = [str(ENVIRONMENT / "bin/mutmut"), *arguments]
    elsewhere = {**os.environ, "TZ": "UTC"}
    return subprocess.run(command, cwd=TREE, env=elsewhere, stdout=subprocess.PIPE, text=True, check=True).stdout


def outcomes() -> dict[str, str]:
    """Mutant → what became of it, in mutmut's words."""
    lines = [line.strip().partition(": ") for line in mutmut("results", "--all", "true").splitlines()]
    return {name: outcome for name, colon, outcome in lines if colon}


def main() -> int:
    from tests.deep import commit

    only_left = sys.argv[1:] == ["--left"]
    if not only_left:
        shutil.rmtree(TREE, ignore_errors=True)
    prepare()
    run = ["run", "--max-children", os.environ.get("PORTINERIA_MUTATION_PROCESSES", "1")]
    mutmut(*run)
    found = outcomes()
    if only_left and (again := [name for name, outcome in found.items() if outcome not in NOTICED]):
        mutmut(*run, *again)
        found = outcomes()
    counts = Counter(found.values())
    noticed = 100 * sum(counts[outcome] for outcome in NOTICED) / len(found)
    left: list[Mutant] = [
        mutant_of(mutmut("show", name), TREE) for name, outcome in sorted(found.items()) if outcome not in NOTICED
    ]
    PAGE.write_text(page(found, left, reasons(), commit()), "utf-8")
    unexplained = without_reason(left, reasons())
    for mutant in unexplained:
        print(f"{mutant.file}:{mutant.line} {mutant.function}\n  - {mutant.was}\n  + {mutant.now}")
    result = {"mutants": len(found), "noticed_percent": round(noticed, 2), "unexplained": len(unexplained), **counts}
    print(json.dumps(result, sort_keys=True))
    return 0 if noticed >= NEEDED_PERCENT and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
