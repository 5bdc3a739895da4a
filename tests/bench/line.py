# SPDX-License-Identifier: Apache-2.0
"""A bad line made by ourselves: ``python -m tests.bench.line HERE THERE NAMESPACE``, as root.

Two TUN devices, one here and one in the namespace of a plant, and this process as the line between them. Not tc netem:
many kernels, of containers above all, have no such qdisc, and a line of our own is the same everywhere, loses by a
seed, and counts what passes. Each way: packets leave one after the other at the line's rate, wait in a queue of bounded
bytes (what does not fit is dropped), some are lost, the rest arrive after the delay. In an outage nothing arrives.

Commands on standard input, one JSON a line: ``{"outage": true}``, ``{"loss": 0.01}``; for every line the counters are
printed: bytes that entered the line, dropped and lost packets.
"""

import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_TUN, _NO_PREFIX = 0x0001, 0x1000
_MTU = 1500
DELAY_S, LOSS, RATE, QUEUE_BYTES = 0.15, 0.01, 1_000_000, 32_000  # a quarter of a second's queue


def tun(name: str) -> int:
    """A new TUN device of this namespace; it lives as long as the descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TUN | _NO_PREFIX))
    return descriptor


@dataclass
class Direction:
    """From one device to the other."""

    source: int
    sink: int
    random: random.Random
    loss: float = LOSS
    free_at: float = 0.0  # when what was accepted so far has left
    on_the_way: list[tuple[float, int, bytes]] = field(default_factory=list)
    packets = moved = dropped = lost = 0

    def take(self, now: float, outage: bool) -> None:
        try:
            packet = os.read(self.source, _MTU + 64)
        except BlockingIOError:
            return
        if (self.free_at - now) * RATE / 8 + len(packet) > QUEUE_BYTES:
            self.dropped += 1
            return
        self.free_at = max(self.free_at, now) + len(packet) * 8 / RATE
        self.packets += 1
        self.moved += len(packet)
        if outage or self.random.random() < self.loss:
            self.lost += 1
            return
        heapq.heappush(self.on_the_way, (self.free_at + DELAY_S, self.packets, packet))

    def deliver(self, now: float) -> None:
        while self.on_the_way and self.on_the_way[0][0] <= now:
            try:
                os.write(self.sink, heapq.heappop(self.on_the_way)[2])
            except OSError:  # the device is down: its namespace is being removed
                self.lost += 1


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def lay(here: str, there: str, namespace: str) -> tuple[int, int]:
    """Both devices up, each with its address; return their descriptors."""
    names = (f"line{os.getpid() % 100_000}a", f"line{os.getpid() % 100_000}b")
    ends = tun(names[0]), tun(names[1])
    _run("ip", "link", "set", names[1], "netns", namespace)
    for place, name, mine, peer in (((), names[0], here, there), (("-n", namespace), names[1], there, here)):
        _run("ip", *place, "addr", "add", mine, "peer", peer, "dev", name)
        _run("ip", *place, "link", "set", name, "up", "mtu", str(_MTU), "txqueuelen", "10")
    return ends


def main(here: str, there: str, namespace: str) -> int:
    one, other = lay(here, there, namespace)
    ways = [Direction(one, other, random.Random(1)), Direction(other, one, random.Random(2))]
    outage = False
    print("{}", flush=True)
    while True:
        due = min((way.on_the_way[0][0] for way in ways if way.on_the_way), default=None)
        wait = None if due is None else max(due - time.monotonic(), 0)
        ready, _, _ = select.select([one, other, sys.stdin], [], [], wait)
        now = time.monotonic()
        for way in ways:
            way.deliver(now)
            if way.source in ready:
                way.take(now, outage)
        if sys.stdin in ready:
            command = sys.stdin.readline()
            if not command:
                return 0
            asked = json.loads(command)
            outage = asked.get("outage", outage)
            for way in ways:
                way.loss = asked.get("loss", way.loss)
            counters = {name: [getattr(way, name) for way in ways] for name in ("packets", "moved", "dropped", "lost")}
            print(json.dumps(counters), flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
