# SPDX-License-Identifier: Apache-2.0
"""A network of its own for each simulated plant, so that two plants can own the same addresses.

Two namespaces per plant, because a gateway never reaches its own or loopback addresses: the *gateway* side with the
uplink, and the *floor* with the devices, joined by a cable (veth). The gateway side drops every inbound packet.
"""

import ipaddress
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from portineria.core.errors import Unavailable
from portineria.demo.owned import MARK, PREFIX, end_processes, marked_processes, orphaned, token
from portineria.demo.plant.layout import places

Where = Literal["gateway", "floor"]
SIDES: tuple[Where, Where] = ("gateway", "floor")

_CABLE = "prtn"  # host end of an uplink: prtn<N>; the other end: prtn<N>p
_UPLINKS = 256  # 10.203.N.0/30
UPLINKS = ipaddress.ip_network("10.203.0.0/16")
_FLOOR_CABLE = ("floor0", "plant0")  # name on the gateway side, name on the floor
_PROBE_CABLE = ("probe0", "type", "veth", "peer", "name", "probe1")
_FLOOR_ADDRESSES = tuple(place.address for place in places("192.168.10.10"))
_COMMAND_S = 10.0
_numbers = itertools.count(1)
_RULES = """table inet portineria {
  counter inbound_dropped { }
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept;
    ct state established,related accept;
    counter name inbound_dropped drop;
  }
}
"""


class Kind(StrEnum):
    ROOT = "root"
    USER = "user"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Availability:
    kind: Kind
    reason: str  # for people: why not a better kind, and what to do about it; empty for ROOT


def _run(argv: Sequence[str], *, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(argv)}: {error}") from error
    if check and done.returncode != 0:
        raise Unavailable(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done


def _failure(argv: Sequence[str]) -> str:
    """Why this command does not work here; empty when it does."""
    try:
        _run(argv)
    except Unavailable as error:
        return str(error)
    return ""


def _firewall_program(name: str) -> str | None:
    """Debian keeps these where the PATH of an ordinary account does not lead."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


@cache
def available() -> Availability:
    """The best kind that works here, found by trying it."""
    if shutil.which("ip") is None:
        return Availability(Kind.NONE, "no program `ip`: apt-get install iproute2")
    reason = "not root"
    if os.geteuid() == 0:
        probe = token("probe")
        reason = _failure(["ip", "netns", "add", probe])
        if not reason:
            reason = _failure(["ip", "-n", probe, "link", "add", *_PROBE_CABLE])
            _run(["ip", "netns", "del", probe], check=False)
        if not reason:
            return Availability(Kind.ROOT, "")
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return Availability(Kind.NONE, f"{reason}; no programs `unshare` and `nsenter`: apt-get install util-linux")
    refused = _failure(["unshare", "-Urn", "ip", "link", "add", *_PROBE_CABLE])
    if not refused:
        return Availability(Kind.USER, reason)
    return Availability(Kind.NONE, f"{reason}; unprivileged user namespaces do not work either: {refused}")


class PlantNetwork:
    """Open it, run processes in it with ``command``, close it. Synchronous: it is set up before anything else runs.

    ``close`` also ends processes that still run inside. What a killed owner left behind is removed by ``sweep``.
    """

    def __init__(
        self,
        name: str,
        *,
        floor_addresses: Sequence[str] = _FLOOR_ADDRESSES,
        gateway_address: str = "192.168.10.2",
        prefix_length: int = 24,
        kind: Kind | None = None,
    ) -> None:
        self.kind = available().kind if kind is None else kind
        self.firewall = ""  # "nft", "iptables", or empty when neither is there
        self.missing = ""  # what a person should install, if anything
        self._token = token(f"{next(_numbers)}-{name}")
        self._prefix_length = prefix_length
        self._addresses: dict[Where, tuple[str, ...]] = {"gateway": (gateway_address,), "floor": tuple(floor_addresses)}
        self._holders: dict[Where, subprocess.Popen[str]] = {}
        self._cable = ""
        self._host_address = ""
        self._pipes: dict[int, tuple[subprocess.Popen[str], ...]] = {}
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Raise ``Unavailable`` with the command that failed, leaving nothing behind."""
        if self.kind is Kind.NONE:
            return
        try:
            for side in SIDES:
                if self.kind is Kind.ROOT:
                    _run(["ip", "netns", "add", self._name(side)])
                else:
                    self._hold(side)
                self._inside(side, "ip", "link", "set", "lo", "up")
            self._join_sides()
            if self.kind is Kind.ROOT:
                self._lay_uplink()
            self._drop_inbound()
        except BaseException:
            self.close()
            raise

    def command(self, argv: Sequence[str], where: Where = "gateway") -> list[str]:
        """``argv`` so that it runs inside. The process started is the program itself: signals reach it directly."""
        marked = ["env", f"{MARK}={self._token}", *argv]
        if self.kind is Kind.ROOT:
            return ["ip", "netns", "exec", self._name(where), *marked]
        if self.kind is Kind.USER:
            return [*self._enter(where), *marked]
        return marked

    def uplink(self, host_port: int) -> tuple[str, int]:
        """What a process on the gateway side dials to reach ``host_port`` outside.

        As root the address is the outer end of the uplink, so the port outside must listen there.
        Otherwise it is loopback inside, and the port outside must listen on 127.0.0.1.
        """
        if self.kind is Kind.ROOT:
            return self._host_address, host_port
        if self.kind is Kind.USER and host_port not in self._pipes:
            self._pipes[host_port] = self._pipe(host_port)
        return "127.0.0.1", host_port

    @property
    def inward_address(self) -> str:
        """The gateway side's own address on the uplink, which nothing outside can connect to; empty without a cable."""
        return str(self._host_address[:-1] + "2") if self._host_address else ""

    @property
    def cable(self) -> str:
        """Name of the uplink's outer end, which root may pull; empty without a cable."""
        return self._cable

    def dropped_inbound(self) -> int | None:
        """How many inbound packets the gateway side has dropped; None without nft."""
        if self.firewall != "nft":
            return None
        program = _firewall_program("nft") or "nft"
        listed = self._inside("gateway", program, "list", "counter", "inet", "portineria", "inbound_dropped").stdout
        return int(listed.split("packets", 1)[1].split()[0])

    def close(self) -> None:
        """Idempotent; usable after a failed ``open``."""
        end_processes(number for number, mark in marked_processes().items() if mark == self._token)
        for process in [process for pair in self._pipes.values() for process in pair] + list(self._holders.values()):
            _end_child(process)
        self._pipes.clear()
        self._holders.clear()
        if self._cable:
            _run(["ip", "link", "del", self._cable], check=False)
        if self.kind is Kind.ROOT:
            for side in SIDES:
                _run(["ip", "netns", "del", self._name(side)], check=False)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._cable = self._host_address = self.firewall = ""
        self._folder = None

    @staticmethod
    def sweep() -> list[str]:
        """Remove what owners that are no more left behind; tell what it was."""
        return _sweep_processes() + _sweep_folders() + (_sweep_links() if os.geteuid() == 0 else [])

    def _name(self, side: Where) -> str:
        return f"{self._token}-{side}"

    def _enter(self, side: Where) -> list[str]:
        return ["nsenter", "--preserve-credentials", "-U", "-n", "-t", str(self._holders[side].pid)]

    def _inside(self, side: Where, *argv: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        if self.kind is Kind.ROOT:
            return _run(["ip", "netns", "exec", self._name(side), *argv], text=text)
        return _run([*self._enter(side), *argv], text=text)

    def _hold(self, side: Where) -> None:
        """A nameless namespace lives as long as a process in it: ``cat``, which ends with our end of its stdin."""
        # The floor is made inside the gateway's user namespace: only then may one cable be laid between both.
        make = ["unshare", "-Urn"] if side == "gateway" else [*self._enter("gateway"), "unshare", "-n"]
        self._holders[side] = _start_child(
            [*make, "env", f"{MARK}={self._token}", "sh", "-c", "echo ready && exec cat >/dev/null"]
        )

    def _join_sides(self) -> None:
        ours, theirs = _FLOOR_CABLE
        other = self._name("floor") if self.kind is Kind.ROOT else str(self._holders["floor"].pid)
        self._inside("gateway", "ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", other)
        for side, cable in zip(SIDES, _FLOOR_CABLE, strict=True):
            for address in self._addresses[side]:
                self._inside(side, "ip", "addr", "add", f"{address}/{self._prefix_length}", "dev", cable)
            self._inside(side, "ip", "link", "set", cable, "up")

    def _lay_uplink(self) -> None:
        inner = self._name("gateway")
        for number in range(_UPLINKS):
            cable = f"{_CABLE}{number}"
            taken = _run(
                ["ip", "link", "add", cable, "type", "veth", "peer", "name", f"{cable}p", "netns", inner], check=False
            )
            if taken.returncode == 0:
                break
            if "exists" not in taken.stderr:
                raise Unavailable(f"uplink {cable}: {taken.stderr.strip()}")
        else:
            raise Unavailable(f"all {_UPLINKS} uplink addresses are in use")
        self._cable, self._host_address = cable, f"10.203.{number}.1"
        _run(["ip", "link", "set", cable, "alias", self._token])
        _run(["ip", "addr", "add", f"{self._host_address}/30", "dev", cable])
        _run(["ip", "link", "set", cable, "up"])
        self._inside("gateway", "ip", "addr", "add", f"10.203.{number}.2/30", "dev", f"{cable}p")
        self._inside("gateway", "ip", "link", "set", f"{cable}p", "up")
        # The other uplinks' outer ends are this machine too: both gateways may dial the relay by one address.
        self._inside("gateway", "ip", "route", "add", str(UPLINKS), "via", self._host_address)

    def _drop_inbound(self) -> None:
        """The proof that a gateway needs no inbound port."""
        reasons = []
        for firewall, lay in (("nft", self._lay_nft_rules), ("iptables", self._lay_iptables_rules)):
            program = _firewall_program(firewall)
            if program is None:
                reasons.append(f"no program `{firewall}`")
                continue
            try:
                lay(program)
            except Unavailable as error:  # the kernel lacks this one: the other may work
                reasons.append(str(error))
                continue
            self.firewall = firewall
            return
        self.missing = f"nothing drops inbound packets here: apt-get install nftables ({'; '.join(reasons)})"

    def _lay_nft_rules(self, program: str) -> None:
        self._inside("gateway", program, "-f", "-", text=_RULES)

    def _lay_iptables_rules(self, program: str) -> None:
        self._inside("gateway", program, "-A", "INPUT", "-i", "lo", "-j", "ACCEPT")
        known = ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED")
        self._inside("gateway", program, "-A", "INPUT", *known, "-j", "ACCEPT")
        self._inside("gateway", program, "-P", "INPUT", "DROP")

    def _pipe(self, port: int) -> tuple[subprocess.Popen[str], ...]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=f"{self._token}-"))  # 0700: only this account may dial through
        unix, tcp = f"unix:{self._folder}/{port}", f"tcp:127.0.0.1:{port}"
        program = [sys.executable, "-m", "portineria.demo.pipe"]
        outside = _start_child(["env", f"{MARK}={self._token}", *program, unix, tcp])
        return outside, _start_child(self.command([*program, tcp, unix]))


def _end_child(process: subprocess.Popen[str]) -> None:
    """The end of its stdin ends it; a stubborn one is killed."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    try:
        process.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _start_child(argv: Sequence[str]) -> subprocess.Popen[str]:
    """A process that says one line when it is ready and ends with our end of its stdin, also when we are killed."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C at the terminal ends the plants first, and their network after them
    )
    if process.stdout is None or not process.stdout.readline():
        _, errors = process.communicate()
        raise Unavailable(f"{' '.join(argv)}: {errors.strip()}")
    return process


def _sweep_processes() -> list[str]:
    lost = [number for number, mark in marked_processes().items() if orphaned(mark)]
    end_processes(lost)
    return [f"process {number}" for number in lost]


def _sweep_folders() -> list[str]:
    lost = [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if orphaned(path.name)]
    for path in lost:
        shutil.rmtree(path, ignore_errors=True)
    return [str(path) for path in lost]


def _sweep_links() -> list[str]:
    lost_cables = []
    for alias in Path("/sys/class/net").glob(f"{_CABLE}*/ifalias"):
        with suppress(OSError):  # it went with its namespace meanwhile
            if orphaned(alias.read_text()):
                lost_cables.append(alias.parent.name)
    for cable in lost_cables:
        _run(["ip", "link", "del", cable], check=False)
    listed = _run(["ip", "netns", "list"], check=False).stdout.splitlines() if shutil.which("ip") else []
    lost_names = [line.split()[0] for line in listed if orphaned(line)]
    for name in lost_names:
        _run(["ip", "netns", "del", name], check=False)
    return lost_cables + lost_names
