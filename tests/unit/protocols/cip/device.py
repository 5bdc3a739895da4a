# SPDX-License-Identifier: Apache-2.0
"""A small controller with tags that speaks EtherNet/IP, written from the specification and from nothing of ours.

It knows what the tests ask: sessions, connections to its message router, tags by name and by instance, bundles,
Unconnected Send (every route leads to itself), attributes of an assembly, start, stop, reset. ``done`` is its own log
of everything that changed it. Deliberately lenient: it does what it can make sense of, as cheap devices do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tests.unit.protocols.cip.pccc_device import Processor

SIZES = {0xC1: 1, 0xC2: 1, 0xC3: 2, 0xC4: 4, 0xCA: 4}
DINT, REAL = 0xC4, 0xCA
IDENTITY = struct.pack("<HHHBBHIB", 1, 14, 54, 20, 11, 0x3160, 0x00C0FFEE, 9) + b"Testplc/1"
Answer = tuple[int, bytes]  # general status, data


@dataclass
class Tag:
    instance: int
    kind: int
    data: bytes


@dataclass
class Device:
    tags: dict[str, Tag] = field(default_factory=dict)
    assembly: dict[int, bytes] = field(default_factory=lambda: {100: b"\0\0\0\0"})
    running: bool = True
    done: list[str] = field(default_factory=list)
    connections: dict[int, int] = field(default_factory=dict)  # O->T to T->O
    asked: int = 0
    processor: Processor = field(default_factory=Processor)

    def __post_init__(self) -> None:
        for number, (name, kind) in enumerate((("Speed", DINT), ("Temperature", REAL), ("Parts", DINT)), start=1):
            self.tags[name] = Tag(number, kind, b"\0\0\0\0")

    def receive(self, message: bytes) -> bytes:
        """One encapsulation message; its answer, empty where there is none."""
        command, length, session, _, context, _ = struct.unpack_from("<HHII8sI", message)
        body = message[24 : 24 + length]
        answer, status = b"", 0
        if command == 0x65:
            session, answer = 77, body
        elif command == 0x63:
            item = struct.pack("<H16s", 1, b"\0" * 16) + IDENTITY + b"\3"
            answer = struct.pack("<HHH", 1, 0x0C, len(item)) + item
        elif command == 0x04:
            answer = b"\0\0"
        elif command == 0x6F:
            inner = self._ask(body[16:])
            answer = struct.pack("<IHHHHHH", 0, 0, 2, 0, 0, 0xB2, len(inner)) + inner
        elif command == 0x70:
            to_device = int.from_bytes(body[12:16], "little")
            if to_device not in self.connections:
                return b""
            inner = body[20:22] + self._ask(body[22:])
            head = struct.pack("<IHHHHIHH", 0, 0, 2, 0xA1, 4, self.connections[to_device], 0xB1, len(inner))
            answer = head + inner
        elif command in (0x00, 0x66):
            return b""
        else:
            status = 1
        return struct.pack("<HHII8sI", command, len(answer), session, status, context, 0) + answer

    def _ask(self, request: bytes) -> bytes:
        """Message router: service, path in words, data; the answer with status."""
        self.asked += 1
        if len(request) < 2 or len(request) < 2 + 2 * request[1]:
            return bytes([request[0] | 0x80 if request else 0x80, 0, 0x26, 0])
        service, end = request[0], 2 + 2 * request[1]
        names, numbers = _path(request[2:end])
        data = request[end:]
        if service == 0x52 and numbers.get("class") == 6:
            size = int.from_bytes(data[2:4], "little")
            return self._ask(data[4 : 4 + size])
        try:
            status, answer = self._serve(service, names, numbers, data)
        except (struct.error, IndexError):
            status, answer = 0x13, b""
        return bytes([service | 0x80, 0, status, 0]) + answer

    def _serve(self, service: int, names: list[str], numbers: dict[str, int], data: bytes) -> Answer:
        class_, instance = numbers.get("class"), numbers.get("instance", 0)
        if names and class_ is None:
            return self._tag(service, self.tags.get(names[0]), names[0], data)
        if class_ == 0x6B and service != 0x55:
            name = next((name for name, tag in self.tags.items() if tag.instance == instance), "")
            return self._tag(service, self.tags.get(name), name, data)
        if class_ == 0x6B:
            return self._list(instance)
        if service == 0x0A:
            return self._bundle(data)
        if class_ == 6:
            return self._connect(service, data)
        if class_ == 0x67 and service == 0x4B:
            return 0, self.processor.execute(data, self.done)
        if class_ in (1, 0x64) and service == 1:
            return 0, IDENTITY if class_ == 1 else b"\x04\x00Main"
        if class_ == 4 and service in (0x0E, 0x10) and instance in self.assembly:
            if service == 0x0E:
                return 0, self.assembly[instance]
            self.assembly[instance] = data
            self.done.append(f"assembly {instance} = {data.hex()}")
            return 0, b""
        if service in (5, 6, 7):
            self.running = service == 6
            self.done.append({5: "reset", 6: "start", 7: "stop"}[service])
            return 0, b""
        return 8, b""

    def _bundle(self, data: bytes) -> Answer:
        count = int.from_bytes(data[:2], "little")
        offsets = struct.unpack_from(f"<{count}H", data, 2)
        parts = [self._ask(data[at:to]) for at, to in zip(offsets, (*offsets[1:], len(data)), strict=True)]
        at = 2 + 2 * count
        places = []
        for part in parts:
            places.append(at)
            at += len(part)
        failed = any(part[2] for part in parts)
        return 0x1E if failed else 0, struct.pack(f"<H{count}H", count, *places) + b"".join(parts)

    def _connect(self, service: int, data: bytes) -> Answer:
        if service in (0x54, 0x5B):
            to_client, serial = data[6:10], data[10:18]
            to_device = 0x1000 + len(self.connections)
            self.connections[to_device] = int.from_bytes(to_client, "little")
            rates = data[22:26] + data[28:32] if service == 0x54 else data[22:26] + data[30:34]
            return 0, struct.pack("<I", to_device) + to_client + serial + rates + b"\0\0"
        return (0, data[2:10] + b"\0\0") if service == 0x4E else (8, b"")

    def _list(self, first: int) -> Answer:
        found = b""
        for name, tag in self.tags.items():
            if tag.instance >= first:
                found += struct.pack("<IH", tag.instance, len(name)) + name.encode()
                found += struct.pack("<HIII3IB", tag.kind, 0, 0, 1 << 26, 0, 0, 0, 0)
        return 0, found

    def _tag(self, service: int, tag: Tag | None, name: str, data: bytes) -> Answer:
        if tag is None:
            return 5, b""
        if service in (0x4C, 0x52):
            return 0, struct.pack("<H", tag.kind) + tag.data
        if service in (0x4D, 0x53):
            kind, count = struct.unpack_from("<HH", data)
            value = (data[4:] if service == 0x4D else data[8:])[
                : len(tag.data)
            ]  # what follows is ignored, as by others
            if kind != tag.kind or count != 1 or len(value) != SIZES[kind]:
                return 0xFF, b""
            tag.data = value
        elif service == 0x4E:
            size = int.from_bytes(data[:2], "little")
            if size != len(tag.data) or len(data) < 2 + 2 * size:
                return 3, b""
            masks = struct.unpack_from(f"<{size}s{size}s", data, 2)
            tag.data = bytes((old | on) & keep for old, on, keep in zip(tag.data, *masks, strict=True))
        else:
            return 8, b""
        self.done.append(f"{name} = {tag.data.hex()}")
        return 0, b""


def _path(data: bytes) -> tuple[list[str], dict[str, int]]:
    """Names, and the last number of each logical segment."""
    names, numbers, at = [], {}, 0
    while at < len(data):
        if data[at] == 0x91 and at + 1 < len(data):
            size = data[at + 1]
            names.append(data[at + 2 : at + 2 + size].decode("latin-1"))
            at += 2 + size + size % 2
        elif data[at] & 0xE0 == 0x20:
            word = ("class", "instance", "member", "point", "attribute", "key", "service", "more")[data[at] >> 2 & 7]
            size = (1, 2, 4, 0)[data[at] & 3]
            at += 1 if size == 1 else 2
            numbers[word] = int.from_bytes(data[at : at + size], "little")
            at += size
        else:
            at += 2
    return names, numbers
