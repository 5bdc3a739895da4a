# SPDX-License-Identifier: Apache-2.0
"""The image, built by podman as the handbook says, started as its unit starts it, and looked into.

The base images are made here, of the Debian packages that the real ones are made of, so that no registry is needed:
distroless' python3 by the list of its own source (python3/config.bzl, base, cc), unpacked as it unpacks them.
"""

from __future__ import annotations

import json
import resource
import shlex
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deployment.debian import Missing, accounts, link, run, unpacked

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE, QUADLET = (ROOT / "deploy/container" / name for name in ("Containerfile", "portineria.container"))
DISTROLESS = (
    "base-files", "netbase", "tzdata", "ca-certificates", "libc6", "libssl3", "libgcc-s1", "libgomp1", "libstdc++6",
    "libbz2-1.0", "libdb5.3", "libexpat1", "liblzma5", "libsqlite3-0", "libuuid1", "libncursesw6", "libtinfo6",
    "python3-distutils", "zlib1g", "libcom-err2", "libcrypt1", "libgssapi-krb5-2", "libk5crypto3", "libkeyutils1",
    "libkrb5-3", "libkrb5support0", "libnsl2", "libreadline8", "libtirpc3", "libffi8", "libpython3.11-minimal",
    "libpython3.11-stdlib", "python3.11-minimal",
)  # fmt: skip
# What the first stage uses of python:3.11-slim-bookworm: a shell, mkdir, Python and pip.
BUILDER = (
    *DISTROLESS, "dash", "coreutils", "libacl1", "libattr1", "libselinux1", "libpcre2-8-0", "libgmp10", "python3-pip",
    "python3-setuptools", "python3-pkg-resources", "python3-wheel", "python3-lib2to3",
)  # fmt: skip
NOBODY = 65532
READY_S = 120
# Paths of programs by which somebody who got in would go on.
TOOLS = {"sh", "dash", "bash", "busybox", "apt", "apt-get", "dpkg", "pip", "pip3", "su", "mount", "curl", "wget"}
_READY = """
import json, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
    print(json.dumps([answer.status, answer.read().decode()]))
"""
_LOOK = """
import json, os
def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    os.unlink(path)
    return ""
said = dict(line.split(":", 1) for line in open("/proc/1/status").read().splitlines() if ":" in line)
print(json.dumps({
    "user": os.getuid(), "first": said["Uid"].split()[0], "capabilities": int(said["CapBnd"], 16) | int(said["CapEff"], 16),
    "new_privileges": said["NoNewPrivs"].strip(), "seccomp": said["Seccomp"].strip(),
    "closed": {path: refused(path) for path in ("/x", "/opt/portineria/x", "/etc/x", "/usr/x")},
    "open": {path: refused(path) for path in ("/var/lib/portineria/x", "/tmp/x")},
}))
"""  # noqa: E501


class Podman:
    """With a storage of its own, which goes with the folder.

    crun takes cgroups of one version only: where both are mounted it does not see the second.
    """

    def __init__(self, folder: Path) -> None:
        unified = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line]
        both = [place for place in unified if place != "/sys/fs/cgroup"]
        aside = "".join(f"umount {shlex.quote(place)}; " for place in both)
        self._own: tuple[str | Path, ...] = (
            "unshare", "--mount", "/bin/sh", "-euc", f'{aside}exec podman "$@"', "podman", "--root", folder / "storage",
            "--runroot", folder / "run", "--cgroup-manager=cgroupfs",
        )  # fmt: skip

    def __call__(self, *words: str | Path) -> str:
        return run(*self._own, *words).stdout


def base(podman: Podman, folder: Path, name: str, packages: tuple[str, ...]) -> str:
    root = unpacked(folder / name, folder / "archives", packages)
    accounts(root, nonroot=NOBODY)
    for alias in ("python", "python3"):
        link(root, f"usr/bin/{alias}", "python3.11")
    if "dash" in packages:
        link(root, "bin/sh", "dash")
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    archive = folder / f"{name}.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname="/")
    shutil.rmtree(root)
    podman("import", "--quiet", archive, f"localhost/{name}:here")
    return f"localhost/{name}:here"


def build(podman: Podman, folder: Path, bundle: Path) -> None:
    """No network at all: what the context does not hold is not there."""
    bases = {
        "BUILDER": base(podman, folder, "builder", BUILDER), "BASE": base(podman, folder, "distroless", DISTROLESS)
    }  # fmt: skip
    given = [word for name, image in bases.items() for word in ("--build-arg", f"{name}={image}")]
    podman("build", "--network=none", "--pull=never", *given, "-f", CONTAINERFILE, "-t", "portineria", bundle)


def as_the_unit_says(text: str) -> list[str]:
    """What podman's generator makes of the lines of ``[Container]`` that are about privileges."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return [
        f"--read-only={said['ReadOnly']}", f"--read-only-tmpfs={said['ReadOnlyTmpfs']}", "--tmpfs", said["Tmpfs"],
        "--security-opt", "no-new-privileges", f"--cap-drop={said['DropCapability']}",
        f"--user={said['User']}:{said['Group']}", f"--pids-limit={said['PidsLimit']}",
    ]  # fmt: skip


def volume(text: str, name: str) -> str:
    [said] = [line.partition("=")[2] for line in text.splitlines() if line.startswith("Volume=")]
    return ":".join((name, *said.split(":")[1:]))


def limits() -> list[str]:
    """No more than this machine allows, where podman would ask for what the kernel allows."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return [f"--ulimit=nofile={files}:{files}", "--ulimit=nproc=4096:4096"]


@contextmanager
def running(podman: Podman, first: int) -> Iterator[str]:
    """The container of the unit; the numbers in it begin at ``first`` of this machine, as UserNS=auto gives them."""
    unit = QUADLET.read_text()
    numbers = [f"--{kind}map=0:{first}:65537" for kind in ("uid", "gid")]
    kept = ["-v", volume(unit, "systemd-portineria-state")]
    words = [*as_the_unit_says(unit), "--network=none", *limits(), *numbers, *kept]
    podman("run", "--rm", *words, "localhost/portineria", "setup", "--bare", "--state", "/var/lib/portineria")
    name = podman("run", "--detach", *words, "localhost/portineria").strip()
    try:
        yield name
    finally:
        podman("rm", "--force", "--time=20", name)


def ready(podman: Podman, name: str) -> None:
    """Raise Missing with what it said."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            said = json.loads(podman("exec", name, "/usr/bin/python3", "-c", _READY, "http://127.0.0.1:8443/health/"))
        except Missing as why:
            if time.monotonic() > deadline:
                raise Missing(f"not ready: {why}\n{podman('logs', name)[-1500:]}") from why
            time.sleep(0.5)
        else:
            print(f"  /health/ answered {said}")
            return


def faults(podman: Podman, name: str) -> Iterator[str]:
    """What is not as the handbook says."""
    seen = json.loads(podman("exec", name, "/usr/bin/python3", "-c", _LOOK))
    print(f"  inside: {seen}")
    if (seen["user"], seen["first"]) != (NOBODY, str(NOBODY)):
        yield f"it runs as {seen['user']}"
    if seen["capabilities"] or seen["new_privileges"] != "1" or seen["seccomp"] != "2":
        yield "it has capabilities, may gain privileges, or makes any call"
    yield from (f"{path} can be written" for path, why in seen["closed"].items() if not why)
    yield from (f"{path}: {why}" for path, why in seen["open"].items() if why)


def files(podman: Podman, folder: Path) -> list[str]:
    """Of the image, with nothing mounted into it."""
    made = podman("create", "--network=none", "localhost/portineria").strip()
    podman("export", "--output", folder / "image.tar", made)
    podman("rm", made)
    with tarfile.open(folder / "image.tar") as tar:
        return [member.name for member in tar if not member.isdir()]


def trial(folder: Path, bundle: Path) -> dict[str, object]:
    """Twice, with other numbers the second time: UserNS=auto promises nobody the same ones."""
    podman, found = Podman(folder), list[str]()
    build(podman, folder, bundle)
    for first in (200_000, 400_000):
        with running(podman, first) as name:
            ready(podman, name)
            found += faults(podman, name)
    if tools := sorted(TOOLS & {Path(path).name for path in files(podman, folder)}):
        found.append(f"it holds {tools}")
    size = int(json.loads(podman("image", "inspect", "localhost/portineria"))[0]["Size"])
    return {"faults": found, "image_mb": round(size / 1e6), "podman": shlex.split(podman("--version"))[-1]}
