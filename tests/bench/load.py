# SPDX-License-Identifier: Apache-2.0
"""The load, the same for us and for every peer: a device that sends, takes or echoes, and clients that measure it.

``python -m tests.bench.load PORT`` is the device. First byte of a connection: D + 8 bytes count = send so many,
U = take everything and answer the count, E = echo, O = one byte at once (for opening times), N = how many
connections asked for D so far, in 8 bytes.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

_BLOCK = 1 << 20
_asked: list[None] = []  # one for each D; appending is atomic among threads


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, contextlib.suppress(ConnectionError):
        mode = connection.recv(1)
        if mode == b"D":
            _asked.append(None)
            left, block = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big"), os.urandom(_BLOCK)
            while left:
                left -= connection.send(block[: min(left, _BLOCK)])
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
        elif mode == b"U":
            count, buffer = 0, bytearray(_BLOCK)
            while taken := connection.recv_into(buffer):
                count += taken
            connection.sendall(count.to_bytes(8, "big"))
        elif mode == b"E":
            while data := connection.recv(65536):
                connection.sendall(data)
        elif mode == b"O":
            connection.sendall(b"!")
        elif mode == b"N":
            connection.sendall(len(_asked).to_bytes(8, "big"))


def device(host: str, port: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with socket.create_server((host, port), backlog=1024) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


@contextlib.contextmanager
def running_device(host: str, port: int, wrap: tuple[str, ...] = ()) -> Iterator[int]:
    """The device as a process; yields its pid. ``wrap`` runs it elsewhere, e.g. inside a namespace."""
    command = [*wrap, sys.executable, "-m", "tests.bench.load", host, str(port)]
    process = subprocess.Popen(command)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def connect(address: tuple[str, int]) -> socket.socket:
    connection = socket.create_connection(address, timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def download(address: tuple[str, int], count: int) -> float:
    """Seconds for ``count`` bytes from the device."""
    buffer, got = bytearray(_BLOCK), 0
    with connect(address) as connection:
        start = time.perf_counter()
        connection.sendall(b"D" + count.to_bytes(8, "big"))
        while taken := connection.recv_into(buffer):
            got += taken
        seconds = time.perf_counter() - start
    if got != count:
        raise RuntimeError(f"{got} of {count} bytes arrived")
    return seconds


def downloads(address: tuple[str, int], count: int, streams: int) -> float:
    """Seconds until ``streams`` parallel downloads of ``count`` bytes each are all done."""
    failures: list[Exception] = []

    def one() -> None:
        try:
            download(address, count)
        except (OSError, RuntimeError) as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(streams)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - start


def echoes(address: tuple[str, int], rounds: int) -> list[float]:
    """Seconds of each 12-byte request and answer, sorted."""
    times = []
    with connect(address) as connection:
        connection.sendall(b"E")
        for _ in range(rounds):
            start, got = time.perf_counter(), 0
            connection.sendall(b"twelve bytes")
            while got < 12:
                got += len(connection.recv(12))
            times.append(time.perf_counter() - start)
    return sorted(times)


def opening(address: tuple[str, int]) -> float:
    """Seconds from connecting to the first byte of the device."""
    start = time.perf_counter()
    with connect(address) as connection:
        connection.sendall(b"O")
        if connection.recv(1) != b"!":
            raise RuntimeError("no byte of the device")
        return time.perf_counter() - start


def asked_downloads(address: tuple[str, int]) -> int:
    """How many connections the device has been asked for a download on."""
    with connect(address) as connection:
        connection.sendall(b"N")
        return int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes so far."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    device(sys.argv[1], int(sys.argv[2]))
