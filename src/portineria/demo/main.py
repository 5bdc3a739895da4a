# SPDX-License-Identifier: Apache-2.0
"""``portineria demo``: everything on one machine, the main job once, then up for the visitor."""

import argparse
import json
import select
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

from portineria.core.errors import Conflict
from portineria.demo.main_job import MainJob
from portineria.demo.namespace import available
from portineria.demo.processes import typed
from portineria.demo.seed import PASSWORD, PEOPLE
from portineria.demo.stage import Stage
from portineria.demo.visitor import totp
from portineria.process.lock import holder, take
from portineria.process.stop import stop_signals

_LOCK = "demo.lock"


class Elsewhere(Conflict):
    code = "demo.elsewhere"


class Running(Conflict):
    code = "demo.running"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(args: argparse.Namespace) -> int:
    """Raises Running, Elsewhere; Unavailable, with the last lines of the log, when a part does not come up."""
    state: Path = args.state.absolute()
    _hold(state)
    if args.clean:
        _empty(state)
    _check_resumable(state, args.port)
    for number in stop_signals():
        signal.signal(number, _end)
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
        _end_once()
        stage.close()
    return 0


def _end(_number: int, _frame: object) -> None:
    _end_once()
    raise KeyboardInterrupt


def _end_once() -> None:
    """Whoever presses Ctrl-C twice must not find half of it still running."""
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)


def _hold(state: Path) -> None:
    """Keep every other demo out of this folder until this process ends."""
    state.mkdir(parents=True, exist_ok=True)
    lock = state / _LOCK
    if take(lock) is None:
        number = holder(lock)
        raise Running(
            f"a demo runs in {state} already (pid {number}); it goes on, and nothing of it was changed. End it with "
            f"Ctrl-C where it was started, or with `kill {number}`, then try again. A second one beside it needs a "
            "folder and a port of its own: --state DIR --port PORT"
        )


def _empty(state: Path) -> None:
    """All but the lock: without its file another demo could hold one of the same name."""
    for path in state.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()


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
    say(f"Try as the technician, in another terminal, in {Path.cwd()}:")
    say(f"    {shlex.join((*typed(), 'login', stage.console))}")
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
