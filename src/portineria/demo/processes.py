# SPDX-License-Identifier: Apache-2.0
"""The demo's child processes: each with its log file, ended in the order of their dependence."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from portineria.core.errors import Unavailable

_STOP_S = 5.0
PORTINERIA = (sys.executable, "-m", "portineria.cli.main")


class Processes:
    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Return the process id. Ctrl-C reaches us alone: we end the children in good order."""
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        return self._running[name].pid

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def wait_until(self, name: str, ready: Callable[[], bool], *, seconds: float) -> None:
        """Raise Unavailable with the last lines of the log when the process ends, or is not ready in time."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self._running[name].poll() is not None
            if ended or time.monotonic() > deadline:
                tail = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-15:])
                raise Unavailable(f"{name} {'ended' if ended else 'is not ready'}:\n{tail}")
            time.sleep(0.05)

    def dead(self) -> list[str]:
        return [name for name, process in self._running.items() if process.poll() is not None]

    def kill(self, name: str, number: signal.Signals) -> None:
        self._running[name].send_signal(number)

    def stop(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """Last started, first stopped."""
        for name in reversed(list(self._running)):
            self.stop(name)


def near(path: Path) -> str:
    """As it is typed in the folder where this runs."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def typed() -> tuple[str, ...]:
    """How a visitor starts our commands from the same folder; nothing needs to be on their PATH."""
    script = Path(sys.executable).with_name("portineria")
    return (near(script),) if script.exists() else (near(Path(sys.executable)), *PORTINERIA[1:])


def portineria(*words: str, env: Mapping[str, str] | None = None, timeout_s: float = 120) -> str:
    """Run one command of our own CLI; return what it printed. Raise Unavailable with its message when it fails."""
    done = subprocess.run(
        [*PORTINERIA, *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"portineria {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
