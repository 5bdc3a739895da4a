# SPDX-License-Identifier: Apache-2.0
"""Carries TCP over a Unix socket: such a socket crosses network namespaces where no cable can be laid.

``python -m portineria.demo.pipe unix:/run/x.sock tcp:127.0.0.1:8443`` on the outside and
``python -m portineria.demo.pipe tcp:127.0.0.1:8443 unix:/run/x.sock`` inside let a process in an unprivileged
namespace dial exactly one port outside. A line on stdout says that it listens; the end of stdin ends it.
"""

import asyncio
import logging
import sys
from contextlib import suppress

_CHUNK = 256 << 10


async def _open(place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    kind, _, rest = place.partition(":")
    if kind == "unix":
        return await asyncio.open_unix_connection(rest, limit=_CHUNK)
    address, _, port = rest.rpartition(":")
    return await asyncio.open_connection(address, int(port), limit=_CHUNK)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK):
        sink.write(chunk)
        await sink.drain()  # the slow side sets the pace
    sink.write_eof()  # one direction may end long before the other


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, onwards: str) -> None:
    try:
        far_reader, far_writer = await _open(onwards)
    except OSError:  # nobody there: the caller sees a closed connection, as with a refused one
        writer.transport.abort()
        return
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    except OSError:  # one side was reset: so is the other
        writer.transport.abort()
        far_writer.transport.abort()
    finally:
        writer.close()
        far_writer.close()


async def _until_stdin_ends() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


async def _main(listen: str, onwards: str) -> None:
    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # only when the pipe itself ends: nothing is left to tell
            await _carry(reader, writer, onwards)

    kind, _, rest = listen.partition(":")
    if kind == "unix":
        server: asyncio.Server = await asyncio.start_unix_server(visit, rest, limit=_CHUNK)
    else:
        address, _, port = rest.rpartition(":")
        server = await asyncio.start_server(visit, address, int(port), limit=_CHUNK, backlog=1024)
    print("listening", flush=True)
    await _until_stdin_ends()
    server.close()


if __name__ == "__main__":
    # Nobody reads stderr: every vanished peer would fill it a little more, until the pipe stood still.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    asyncio.run(_main(*sys.argv[1:3]))
