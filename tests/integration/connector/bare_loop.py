# SPDX-License-Identifier: Apache-2.0
"""The connector in a process that lacks what Windows lacks: ``python bare_loop.py HOME``. Echoes 3 MB, prints how many.

The standard library is loaded first and copes by itself; from then on nothing POSIX-only can be imported, and the event
loop has neither readiness callbacks nor signal handlers, as the Proactor loop.
"""

import asyncio
import concurrent.futures.thread
import os
import ssl
import sys
import tempfile
import urllib.request
from pathlib import Path

import cryptography.x509
import structlog

LOADED = (concurrent.futures.thread, ssl, tempfile, urllib.request, cryptography.x509, structlog)
ABSENT = ["uvloop", "fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "asyncio.unix_events"]
SIZE = 3 << 20


class BareLoop(asyncio.SelectorEventLoop):
    def _absent(self, *_: object, **__: object) -> None:
        raise NotImplementedError("the Proactor loop has no such thing")

    add_reader = remove_reader = add_writer = remove_writer = _absent  # type: ignore[assignment]

    def _sock_read_done(self, fd: int, _: object, handle: asyncio.Handle | None = None) -> None:
        """What the standard library does for itself at the end of ``sock_recv``, without the public name."""
        if handle is None or not handle.cancelled():
            self._remove_reader(fd)  # type: ignore[attr-defined]

    def _sock_write_done(self, fd: int, _: object, handle: asyncio.Handle | None = None) -> None:
        if handle is None or not handle.cancelled():
            self._remove_writer(fd)  # type: ignore[attr-defined]

    add_signal_handler = remove_signal_handler = create_unix_connection = create_unix_server = _absent  # type: ignore[assignment]


async def main(home: Path) -> int:
    from portineria.dataplane.connector.api import Api
    from portineria.dataplane.connector.connect import Wish, connected
    from portineria.dataplane.connector.state import Store

    store = Store(home)
    server = store.server()
    credential = store.credential(server.url)
    api = Api(server.url, proxy="none", credential=lambda: credential)
    async with connected(api, Wish("Press 3"), pin=server.root_spki_sha256, tell=print) as line:  # type: ignore[arg-type]
        reader, writer = await asyncio.open_connection(line.doors[0].address, line.doors[0].port)
        data = os.urandom(SIZE)
        writer.write(data)
        writer.write_eof()
        got = await reader.read(-1)
        writer.close()
        return len(got) if got == data else -1


if __name__ == "__main__":
    for name in ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]
    with asyncio.Runner(loop_factory=BareLoop) as runner:
        print(runner.run(main(Path(sys.argv[1]))))
