# SPDX-License-Identifier: Apache-2.0
"""A folder from which Portineria is installed without a network: `make DIR`, `check DIR`.

`make` builds the wheel, gathers what its extras need for this Python and machine, and writes every hash. `check` does
what the reader of docs/howto/install.md does, in a new virtual environment where no index is asked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "server,postgresql,nats,metrics,otel,s3,timestamp"
FILES = (
    "LICENSE", "docs/howto/install.md", "deploy/systemd", "deploy/container", "docs/howto/haproxy.cfg",
    "docs/howto/prometheus-alerts.yml",
)  # fmt: skip


def run(*command: str | Path, **more: object) -> None:
    subprocess.run([str(word) for word in command], check=True, **more)  # type: ignore[call-overload]


def make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels.resolve(), cwd=ROOT)
    [own] = wheels.iterdir()
    # Wheels only: an sdist would be built by a program of its maker's, fetched then.
    run(
        sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", wheels,
        f"{own}[{EXTRAS}]",
    )  # fmt: skip
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements(wheels)))
    run(sys.executable, ROOT / "scripts/supply_chain.py", "sbom", folder / "portineria.cdx.json")
    for name in FILES:
        source, target = ROOT / name, folder / Path(name).name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (folder / "SHA256SUMS").write_text(sums(folder))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {len(list(wheels.iterdir()))} wheels, {size / 1e6:.0f} MB. Prove it: {Path(__file__).name} check")


def requirements(wheels: Path) -> list[str]:
    """One line for each wheel, with its hash: with --require-hashes pip takes nothing else."""
    lines = []
    for wheel in sorted(wheels.iterdir()):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    return lines


def sums(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files)


def install(folder: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """As the handbook says, with every index and every setting of this machine's pip out of reach."""
    run(sys.executable, "-m", "venv", place)
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    command = [
        place / "bin/pip", "install", "--quiet", "--no-index", "--find-links", folder / "wheels", "--require-hashes",
        "-r", folder / "requirements.txt",
    ]  # fmt: skip
    return subprocess.run(
        [str(word) for word in command], env={**alone, **nowhere, "PIP_CONFIG_FILE": os.devnull}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


def check(folder: Path) -> int:
    """Installs, starts, sets up a server there, and sees a wheel refused in which one byte was changed."""
    if (folder / "SHA256SUMS").read_text() != sums(folder):
        print("SHA256SUMS does not fit what is here.")
        return 1
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        done = install(folder, place / "venv")
        if done.returncode:
            print(done.stderr)
            return 1
        run(place / "venv/bin/portineria", "version")
        run(place / "venv/bin/portineria", "setup", "--bare", "--state", place / "state")
        forged = shutil.copytree(folder, place / "forged")
        [own] = (forged / "wheels").glob("portineria-*.whl")
        with zipfile.ZipFile(own, "a") as wheel:
            wheel.writestr("portineria/added.py", "print('not ours')\n")
        if "DO NOT MATCH THE HASHES" not in install(forged, place / "other").stderr:
            print("A wheel that was changed was not refused for its hash.")
            return 1
    print(f"{folder} installs without an index; a wheel that was changed does not.")
    return 0


def main(verb: str, folder: str) -> int:
    if verb == "make":
        make(Path(folder))
        return 0
    return check(Path(folder))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "check"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
