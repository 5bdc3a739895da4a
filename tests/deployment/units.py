# SPDX-License-Identifier: Apache-2.0
"""The units under a real systemd: a Debian in namespaces of its own, set up by the very commands of the handbook."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deployment.debian import Missing, accounts, closure, link, run, unpacked

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = ROOT / "docs/howto/install.md"
# What Debian counts on everywhere is nobody's dependency.
ESSENTIAL = ("base-files", "coreutils", "dash", "findutils", "grep", "libc-bin", "mount", "sed", "util-linux")
PACKAGES = ("systemd", "systemd-sysv", "python3-venv", "passwd", "procps", "tzdata", *ESSENTIAL)
READY_S = 90
MOST_EXPOSED = 1.6  # of 10, as docs/howto/install.md says
# Its own process ids, mounts, network and cgroups; then the tree is the root, and systemd is the first process.
_BOOT = r"""
set -eu
ip link set lo up
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for place in dev run tmp; do mount -t tmpfs -o mode=0755 tmpfs "$place"; done
chmod 1777 tmp
mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8; mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/tty c 5 0
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
pivot_root . before
exec chroot . /bin/sh -c 'umount -l /before; exec env -i container=trial PATH="$PATH" /lib/systemd/systemd'
"""
_SUDO = """#!/bin/sh
[ "$1" = -u ] || exec "$@"
user=$2; shift 2
exec runuser -u "$user" -- "$@"
"""


def tree(folder: Path, bundle: Path) -> Path:
    root = unpacked(folder / "machine", folder / "archives", closure(PACKAGES))
    accounts(root)
    for name, target in (("bin/sh", "dash"), ("usr/bin/python3", "python3.11"), ("var/run", "/run")):
        link(root, name, target)
    for name in ("before", "root", "proc", "sys", "dev", "run", "tmp", "var/lib", "usr/local/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/machine-id").write_text("")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files systemd\ngroup: files systemd\nhosts: files\n")
    (root / "usr/local/bin/sudo").write_text(_SUDO)
    (root / "usr/local/bin/sudo").chmod(0o755)
    shutil.copytree(bundle, root / "root/bundle")
    return root


# As the owner does under Gateways, with a plant that the first page asks for.
_CODE = """
from pathlib import Path
from portineria.control.operations import open_state
open_state(Path("/var/lib/portineria"))
from portineria.control.estate.enrolment import offer_enrolment
from portineria.control.estate.services import create_plant
from portineria.control.identity.models import Organisation, Person
owner, organisation = Person.objects.get(), Organisation.objects.get()
plant = create_plant(actor=owner, organisation=organisation.public_id, name="North", time_zone="Europe/Rome")
print(offer_enrolment(actor=owner, plant=plant.public_id)[0])
"""


class Machine:
    """``pid``: of its first process, as this machine counts."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]

    def sh(self, script: str, folder: str = "/root") -> str:
        """As root there, each command as it is typed. Raise Missing."""
        words = [*self._enter, "/bin/sh", "-euc", f"cd {folder}\n{script}"]
        surroundings = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
        return run(*words, env=surroundings, timeout=600).stdout

    def until(self, what: str, script: str, right: Callable[[str], bool] = bool) -> str:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                if right(said := self.sh(script)):
                    return said
            except Missing as why:
                said = str(why)
            if time.monotonic() > deadline:
                raise Missing(f"not within {READY_S} s: {what}: {said[-800:]}\n{self.journal()}")
            time.sleep(0.5)

    def journal(self) -> str:
        return self.sh("journalctl --no-pager --quiet -n 60 -o cat || true")[-4000:]


@contextmanager
def booted(root: Path) -> Iterator[Machine]:
    [unified] = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line]
    group = unified / "portineria-trial"
    group.mkdir(exist_ok=True)
    inside = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"'
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--cgroup",
             "/bin/sh", "-c", _BOOT, "boot", str(root)]  # fmt: skip
    with (root.parent / "console").open("wb") as console:
        first = subprocess.Popen(
            ["/bin/sh", "-c", inside, "enter", str(group), *words], stdout=console, stderr=console,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        yield Machine(_init(first, root.parent / "console"))
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
        _gone(group)


def _init(first: subprocess.Popen[bytes], console: Path) -> int:
    """Of the first process, its child in the namespaces."""
    deadline = time.monotonic() + READY_S
    while first.poll() is None and time.monotonic() < deadline:
        for child in Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        time.sleep(0.1)
    raise Missing(f"systemd did not come up: {console.read_text(errors='replace')[-1500:]}")


def _gone(group: Path) -> None:
    """The groups that were made in it, the innermost first; they are empty once its processes are dead."""
    deadline = time.monotonic() + READY_S
    while group.exists():
        for one in sorted((place for place in group.rglob("*") if place.is_dir()), reverse=True):
            _removed(one)
        _removed(group)
        if time.monotonic() > deadline:
            raise Missing(f"{group} does not go")


def _removed(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        time.sleep(0.05)


def blocks(page: Path) -> dict[str, list[str]]:
    """Heading → the commands below it, block by block."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return {
        heading: re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def installed(machine: Machine) -> None:
    """From the folder, then as a service, as the page says. The first block of the folder is typed elsewhere."""
    said = blocks(HANDBOOK)
    [_made, carried] = said["From a folder"]
    machine.sh(carried)
    [service] = said["As a service"]
    machine.sh(service, "/root/bundle")
    health = "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8443/health/\").read())'"
    print(f"  /health/ answered {machine.until('the server is ready', health).strip()}")


def confined(machine: Machine, unit: str) -> dict[str, str]:
    """What the kernel says of its process, and systemd of the unit while it runs."""
    pid = machine.sh(f"systemctl show -P MainPID {unit}").strip()
    said = dict(
        line.split(":", 1) for line in machine.sh(f"cat /proc/{pid}/status").splitlines() if ":" in line
    )  # fmt: skip
    rated = machine.sh(f"systemd-analyze security --no-pager {unit} | tail -1")
    [exposure] = re.findall(r"exposure level for \S+: ([0-9.]+)", rated)
    return {
        "user": said["Uid"].split()[0], "capabilities": said["CapEff"].strip(), "seccomp": said["Seccomp"].strip(),
        "new_privileges": said["NoNewPrivs"].strip(), "exposure": exposure,
        "restarts": machine.sh(f"systemctl show -P NRestarts {unit}").strip(),
    }  # fmt: skip


def gateway(machine: Machine) -> None:
    """Enrolled by root, run by a user that exists while it runs, linked to the server of this machine."""
    python = "sudo -u portineria /opt/portineria/bin/python"
    code = machine.sh(f"{python} - <<'END'\n{_CODE}\nEND").strip()
    machine.sh("ln -sf /opt/portineria/bin/portineria /usr/local/bin/")
    said = machine.sh(
        f"portineria gateway enrol http://127.0.0.1:8443 {code} --no-wait --name g --reach 192.168.10.11:502"
    )
    shown, *_root = re.findall(r"(?:[0-9a-f]{8} ){7}[0-9a-f]{8}", said)
    machine.sh(f"{python} -m portineria.demo.seed /var/lib/portineria admit '{shown}'")
    page = (ROOT / "docs/howto/gateway.md").read_text()
    [start] = [block for block in re.findall(r"^ *```\n(.*?)^ *```", page, re.M | re.S) if "gateway unit" in block]
    machine.sh(start)
    print(f"  {machine.until('the gateway is linked', 'portineria gateway status').strip()}")


def faults(machine: Machine) -> Iterator[str]:
    for unit in ("portineria", "portineria-gateway"):
        seen = confined(machine, unit)
        print(f"  {unit}: {seen}")
        if seen["user"] == "0" or seen["seccomp"] != "2" or seen["new_privileges"] != "1":
            yield f"{unit} runs as root, makes any call or may gain privileges: {seen}"
        if float(seen["exposure"]) > MOST_EXPOSED:
            yield f"{unit} is exposed more than the handbook says: {seen}"
        if seen["restarts"] != "0":
            yield f"{unit} had to be started {seen['restarts']} times more: {machine.journal()}"


def trial(folder: Path, bundle: Path) -> dict[str, object]:
    with booted(tree(folder, bundle)) as machine:
        state = machine.until(
            "it is up", "systemctl is-system-running || true", lambda said: said.strip() in ("running", "degraded")
        )
        print(
            f"  systemd is {state.strip()}: {machine.sh('systemctl --failed --plain --no-legend') or 'no unit failed'}"
        )
        installed(machine)
        gateway(machine)
        found = list(faults(machine))
        denied = [line for line in machine.journal().splitlines() if "Operation not permitted" in line]
        return {"faults": found + denied, "systemd": machine.sh("systemctl --version").split()[1]}
