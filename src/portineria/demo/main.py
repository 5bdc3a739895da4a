# SPDX-License-Identifier: Apache-2.0
"""``portineria demo``: everything on one machine, the main job once, then up for the visitor."""

import argparse
import json
import select
import shutil
import signal
import sys
import time
from pathlib import Path

from portineria.core.errors import Conflict
from portineria.demo.main_job import MainJob
from portineria.demo.namespace import available
from portineria.demo.seed import PASSWORD, PEOPLE
from portineria.demo.stage import Stage
from portineria.demo.visitor import totp


class Elsewhere(Conflict):
    code = "demo.elsewhere"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(args: argparse.Namespace) -> int:
    """Raises Unavailable, with the last lines of the log, when a part does not come up."""
    state: Path = args.state.absolute()
    if args.clean and state.exists():
        shutil.rmtree(state)
    _check_resumable(state, args.port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kind = available()
    if kind.reason:
        say(f"Networks of the plants: {kind.kind}. {kind.reason}.")
    stage = Stage(state, args.port, say)
    try:
        say("Starting two simulated plants, the server and the gateways …")
        stage.open()
        _remember(state, args.port)
        if not (state / "performed").exists():
            MainJob(stage, say).perform(stage.plants[0])
            (state / "performed").touch()
        if not args.once:
            _invite(stage)
            _stay(stage)
    except KeyboardInterrupt:
        say("\nEnding …")
    finally:
        stage.close()
    return 0


def _check_resumable(state: Path, port: int) -> None:
    """Gateways have pinned the relay's address: a demo cannot move to another port."""
    kept = state / "demo.json"
    if kept.exists() and (before := json.loads(kept.read_text())["port"]) != port:
        raise Elsewhere(f"this demo lives on port {before}; take that one, or begin anew with --clean")


def _remember(state: Path, port: int) -> None:
    (state / "demo.json").write_text(json.dumps({"port": port}))


def _invite(stage: Stage) -> None:
    say(f"\nThe console is open:  {stage.console}\n")
    _codes()
    say(f"Try as the technician, in another terminal:  portineria login {stage.console}")
    say("Enter shows fresh codes. Ctrl-C ends everything; `make demo` resumes, `make demo-clean` begins anew.")


def _codes() -> None:
    now = time.time()
    say(f"  Everybody's password: {PASSWORD}")
    for name, mail, _, supplier, secret in PEOPLE:
        of = f" of {supplier}" if supplier else ""
        say(f"  {mail:<24} {name + of:<28} second factor now: {totp(secret, now)}   (TOTP secret {secret})")


def _stay(stage: Stage) -> None:
    told: set[str] = set()
    watched = [sys.stdin] if sys.stdin.isatty() else []
    while True:
        if watched and select.select(watched, [], [], 1)[0]:
            if not sys.stdin.readline():
                watched = []
            _codes()
        elif not watched:
            time.sleep(1)
        for name in stage.processes.dead():
            if name not in told:
                told.add(name)
                say(f"{name} ended by itself; its log: {stage.processes.log(name)}")
