# SPDX-License-Identifier: Apache-2.0
"""The controller of the unit tests on a real socket, and our inspection between it and whoever connects."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from portineria.protocols.cip import INFO
from portineria.protocols.inspection import Answer, Request
from tests.unit.protocols.cip.device import Device

Decide = Callable[[Request], bool]
HEADER = 24


@dataclass
class Gate:
    """``refused`` and ``answers`` of all that connected. ``connections``: how many did."""

    port: int
    device: Device
    requests: list[Request] = field(default_factory=list)
    refused: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    connections: int = 0


@contextmanager
def gate(device: Device, allowed: Decide) -> Iterator[Gate]:
    """One connection after another, until the caller is done."""
    with socket.create_server(("127.0.0.1", 0)) as behind, socket.create_server(("127.0.0.1", 0)) as front:
        found = Gate(front.getsockname()[1], device)
        threads = [
            threading.Thread(target=_listen, args=(behind, lambda stream: _serve(stream, device))),
            threading.Thread(target=_listen, args=(front, lambda stream: _inspect(stream, behind, found, allowed))),
        ]
        for each in threads:
            each.start()
        try:
            yield found
        finally:
            for listener in (front, behind):
                listener.shutdown(socket.SHUT_RDWR)
            for each in threads:
                each.join(10)


def _listen(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        with closing(stream), suppress(ConnectionError):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(stream)


def _serve(stream: socket.socket, device: Device) -> None:
    while message := _message(stream):
        if answer := device.receive(message):
            stream.sendall(answer)


def _message(stream: socket.socket) -> bytes:
    data = b""
    while len(data) < HEADER or len(data) < HEADER + int.from_bytes(data[2:4], "little"):
        missing = (HEADER + int.from_bytes(data[2:4], "little") if len(data) >= HEADER else HEADER) - len(data)
        if not (more := stream.recv(missing)):
            return b""
        data += more
    return data


def _inspect(client: socket.socket, behind: socket.socket, found: Gate, allowed: Decide) -> None:
    """Request by request: pycomm3 sends the next only after an answer."""
    found.connections += 1
    inspection = INFO.begin()
    with socket.create_connection(behind.getsockname()) as device:
        while data := client.recv(65536):
            for asked in inspection.from_client(data):
                found.requests.append(asked)
                if not allowed(asked):
                    found.refused.append(asked)
                    client.sendall(inspection.refuse(asked).to_client)
                    continue
                device.sendall(inspection.forward(asked))
                while asked.expects_answer and (not found.answers or found.answers[-1].to is not asked):
                    for answer in inspection.from_device(device.recv(65536)):
                        found.answers.append(answer)
                        client.sendall(answer.data)
