# SPDX-License-Identifier: Apache-2.0
"""What really reached the devices, as JSON lines: the proof that tests and the demo look at."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Literal

# A visitor who polls ten registers ten times a second writes about 100 MB a day: keep one older file, 64 MiB in all.
_LIMIT_BYTES = 32 << 20

What = Literal["connect", "disconnect", "read", "write", "stop", "start"]


class Journal:
    """Safe to call from several threads: the S7 library answers each connection in its own."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._size = 0
        self._descriptor = -1 if path is None else self._open(path)

    def note(self, device: str, what: What, **details: object) -> None:
        if self._path is None:
            return
        entry = {"at_ms": time.time_ns() // 1_000_000, "device": device, "what": what, **details}
        line = json.dumps(entry, default=str).encode() + b"\n"
        with self._lock:
            if self._descriptor < 0:
                return
            if self._size + len(line) > _LIMIT_BYTES:
                os.close(self._descriptor)
                self._path.replace(self._path.with_name(self._path.name + ".1"))
                self._descriptor = self._open(self._path)
            os.write(self._descriptor, line)
            self._size += len(line)

    def close(self) -> None:
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _open(self, path: Path) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(descriptor).st_size
        return descriptor


def address_of(peer: object) -> str:
    """``address:port`` of what a transport calls its peername."""
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) >= 2 else "unknown"
