# SPDX-License-Identifier: Apache-2.0
"""Folders with Debian packages unpacked in them, nothing of which is installed or configured on this machine."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES_AT_ONCE_S = 600


class Missing(Exception):
    """What this machine needs first."""


def run(*command: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    if done.returncode:
        raise Missing(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done  # type: ignore[no-any-return]


def unpacked(target: Path, archives: Path, packages: Sequence[str]) -> Path:
    """Their files alone, as images without a package manager are made of them: no script of theirs runs."""
    archives.mkdir(parents=True, exist_ok=True)
    target.mkdir(parents=True)
    lacking = [name for name in packages if not list(archives.glob(f"{name}_*.deb"))]
    if lacking:
        run("apt-get", "-o", "APT::Sandbox::User=root", "download", *lacking, cwd=archives, timeout=_PACKAGES_AT_ONCE_S)
    for name in packages:
        [archive] = archives.glob(f"{name}_*.deb")
        run("dpkg", "-x", archive, target)
    return target


def closure(packages: Sequence[str]) -> list[str]:
    """These and all that they need, as on a machine that has nothing yet."""
    nothing = ("-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=false")
    said = run("apt-get", *nothing, "--simulate", "install", *packages).stdout
    return re.findall(r"^Inst (\S+)", said, re.MULTILINE)


def accounts(root: Path, **numbers: int) -> None:
    """Who is who in there."""
    everybody = {"root": 0, "nobody": 65534, **numbers}
    lines = "".join(f"{name}:x:{number}:{number}::/:/sbin/nologin\n" for name, number in everybody.items())
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(lines)
    (root / "etc/group").write_text("".join(f"{name}:x:{number}:\n" for name, number in everybody.items()))


def link(root: Path, name: str, target: str) -> None:
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if not (place.exists() or place.is_symlink()):
        place.symlink_to(target)


def made_root() -> None:
    if os.geteuid():
        raise Missing("it makes namespaces and owners of files: run it as root")
