# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench [GROUP ...] [--rounds N] [--full] [--minutes N]``: what TARGETS names and exists, by groups.

``tunnel``: one path beside its peers, ``vpn`` beside OpenVPN, ``mesh`` beside MeshCentral; ``relay``: one relay and a
crowd; ``wan``: behind a bad line; ``recording``: what it costs; ``soak``: churn. Without a group: all but the soak.
``--full``: with the volumes and times of `make deep`.
"""

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from portineria.process.loop import run
from tests.bench import database, inspection, ledger, meshcentral, openvpn, recording, report, tunnel, wan
from tests.bench.report import Found, figure, percentile

IDLE, STORM, SESSIONS = 25_000, 5000, 1000
DOWNLOAD, FULL_DOWNLOAD = 3_000_000, 40_000_000


def _crowd(what: str, count: int) -> dict[str, Any]:
    apart = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    command = [*apart, sys.executable, "-m", "tests.bench.crowd", what, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(f"  {what}: {done.stdout.strip()}", flush=True)
    return dict(json.loads(done.stdout))


Given = argparse.Namespace


def relay(_given: Given) -> Found:
    """A crowd takes minutes: one round."""
    sessions, storm, idle = _crowd("sessions", SESSIONS), _crowd("storm", STORM), _crowd("idle", IDLE)
    expected = (
        "link.opened",
        "link.lost Truncated",
        "link.lost ConnectionRefusedError",
    )  # its death; before it listens
    failed = sum(count for name, count in storm["faults"].items() if name not in expected)
    failed += max(storm["faults"]["link.lost Truncated"] - storm["links"], 0)
    figures = {
        "relay.idle_gateway": figure([idle["later_kb"]], "KB"),
        "relay.idle_links": figure([idle["links"]], "links"),
        "relay.storm": figure([storm["seconds"]], "s"),
        "relay.storm.refused": figure([failed], "attempts"),
        "relay.session_memory": figure([sessions["kb_per_session"]], "KB"),
        "relay.session_left": figure([sessions["descriptors_grown"]], "descriptors"),
    }
    raw: dict[str, object] = {"sessions": sessions, "storm": storm, "idle": idle}
    return Found(
        figures, {"Memory of an idle link, KB": {"Portineria": idle["later_kb"], "MeshCentral (published)": 290}}, raw
    )


def behind_a_bad_line(given: Given) -> Found:
    full: bool = given.full
    with wan.far_plant() as far:
        first, following = run(wan.openings(far, 25 if full else 10, 4))
        print(f"  openings: {first} {following}", flush=True)
        echoes, mbit, counters = wan.echo_loaded(far, 120 if full else 60)
        print(f"  {len(echoes)} echoes, {mbit:.2f} Mbit/s down meanwhile, line {counters}", flush=True)
        held = wan.blip(far, FULL_DOWNLOAD if full else DOWNLOAD)
        print(f"  download: {held}", flush=True)
        month = wan.idle_bytes(far, 900 if full else 240)
    figures = {
        "wan.open.first": figure([percentile(first, 95)], "s"),
        "wan.open.next": figure([percentile(following, 95)], "s"),
        "wan.echo.loaded": figure([percentile(echoes, 95)], "s"),
        "wan.idle": figure([month / 1e6], "MB"),
    }
    figures["wan.blip"] = figure([int(held["finished"] and held["connections"] == 1)], "downloads")
    raw = {
        "first_s": first, "next_s": following, "echo_s": echoes, "mbit_down": mbit, "line": counters, "download": held,
        "idle_mb_a_month": month / 1e6,
    }  # fmt: skip
    bars = {
        "first byte": percentile(first, 50),
        "next connection": percentile(following, 50),
        "echo": percentile(echoes, 50),
    }
    return Found(figures, {"Behind the bad line, medians, s": bars}, raw)


def churn(given: Given) -> Found:
    command = [sys.executable, "-m", "tests.bench.soak", str(given.minutes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    raw = dict(json.loads(done.stdout))
    processes = raw["processes"]
    figures = {
        "soak.memory": figure([max(one["mb_per_hour"] for one in processes.values())], "MB/h"),
        "soak.descriptors": figure(
            [max(one["descriptors_end"] - one["descriptors_start"] for one in processes.values())], "descriptors"
        ),
    }
    return Found(figures, {}, raw)


GROUPS = {
    "tunnel": lambda given: tunnel.measure(given.rounds),
    "vpn": lambda given: tunnel.measure_vpn(given.rounds),
    "mesh": lambda given: tunnel.measure_mesh(given.rounds),
    "relay": relay,
    "wan": behind_a_bad_line,
    "soak": churn,
    "ledger": lambda given: ledger.ledger(given.rounds),
    "database": lambda given: database.measured(),
    "inspect": lambda given: inspection.measure(given.rounds, full=given.full),
    "recording": lambda given: recording.measured(given.rounds, full=given.full),
}
USUAL = ("tunnel", "vpn", "mesh", "relay", "wan", "ledger", "database", "inspect", "recording")
NEEDS = {"wan": wan.usable, "vpn": openvpn.missing, "mesh": meshcentral.missing}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="volumes and times of `make deep`")
    parser.add_argument("--minutes", type=float, default=60, help="of the soak")
    given = parser.parse_args(arguments)
    if unknown := set(given.groups) - set(GROUPS):
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    for group in given.groups or USUAL:
        if group in NEEDS and (why := NEEDS[group]()):
            print(f"{group}: left out: {why}")
            continue
        print(f"{group} …", flush=True)
        found = GROUPS[group](given)
        options = (" --full" if given.full else "") + (f" --minutes {given.minutes:g}" if group == "soak" else "")
        report.write(group, found, f"python -m tests.bench {group}{options}")
        for name, row in found.figures.items():
            print(f"{name:<28} {row.value:>9g} {row.unit:<7} ratio {row.ratio if row.ratio else '–'}", flush=True)
        if found.raw:
            print(json.dumps(found.raw), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
