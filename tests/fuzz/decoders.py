# SPDX-License-Identifier: Apache-2.0
"""Hours of coverage-guided fuzzing of every decoder: `make deep DEEP=decoders`, or `python -m tests.fuzz.decoders`.

atheris (libFuzzer) changes conversations, keeps those that reach code that none reached before, and tells of each that
breaks a rule of tests/fuzz/decoding.py. It begins with the examples of the protocols' own tests and, where
PORTINERIA_CORPUS names the folder, with real captures. One decoder after the other, PORTINERIA_FUZZ_SECONDS each (an
hour); names as arguments choose some. What broke a rule lies in build/fuzz/<protocol>/, and is read again by

    python -m tests.fuzz.decoders again FILE

The last line that is printed is the result, as JSON. The environment of its own is made with `uv`, as by the mutations.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from portineria.protocols.catalogue import ALL
from tests.fuzz.decoding import check
from tests.fuzz.seeds import seeds

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv/fuzz"
FOUND = ROOT / "build/fuzz"
MOST_BYTES = 4096  # of one conversation
SLOW_S, MOST_MB = 10, 1024  # one conversation that takes longer, or needs more, breaks a rule too


def prepare() -> str:
    """The interpreter of an environment that has atheris; nothing else of the tests needs it."""
    uv = [str(Path(sys.prefix) / "bin/uv")]
    subprocess.run([*uv, "venv", "-q", "--allow-existing", "--python", sys.executable, ENVIRONMENT], check=True)
    python = str(ENVIRONMENT / "bin/python")
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, "--group", "fuzz"], cwd=ROOT, check=True)
    return python


def fuzz(python: str, protocol: str, seconds: int) -> dict[str, object]:
    """What came of it; ``found``: files with conversations that broke a rule."""
    folder = FOUND / protocol
    for name in ("corpus", "seeds", "broken"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(protocol, MOST_BYTES)):
        (folder / f"seeds/{number:05}").write_bytes(seed)
    command = [
        python, "-m", "tests.fuzz.one_decoder", protocol, str(folder / "corpus"), str(folder / "seeds"),
        f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MOST_MB}",
        f"-artifact_prefix={folder}/broken/", "-print_final_stats=1", "-reload=0",
    ]  # fmt: skip
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    said = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True, check=False
    )
    (folder / "log").write_text(said.stderr, "utf-8")
    tried = re.search(r"number_of_executed_units: *(\d+)", said.stderr)
    reached = re.findall(r" cov: (\d+) ft: (\d+)", said.stderr)
    broken = sorted(each.name for each in (folder / "broken").iterdir())
    if said.returncode:
        sys.stdout.write(said.stderr[-4000:] + "\n")
    return {
        "conversations": int(tried[1]) if tried else 0,
        "branches": int(reached[-1][0]) if reached else 0,
        "seconds": seconds,
        "broken": broken,
        "passed": said.returncode == 0 and bool(tried) and not broken,
    }


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["again"]:
        file = Path(arguments[1])
        protocol = next(each for each in ALL if each.name in file.parts)
        check(protocol, file.read_bytes())
        return 0
    seconds = int(os.environ.get("PORTINERIA_FUZZ_SECONDS", "3600"))
    python, found = prepare(), dict[str, object]()
    for name in arguments or [each.name for each in ALL]:
        found[name] = fuzz(python, name, seconds)
        print(name, found[name], flush=True)
    print(json.dumps(found, sort_keys=True))
    return 0 if all(each["passed"] for each in found.values()) else 1  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
