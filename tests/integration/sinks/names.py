# SPDX-License-Identifier: Apache-2.0
"""``python -m … FOLDER``, in mounts and a network of its own: what sinks do when names go. Prints JSON."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop

from portineria.sinks.catalogue import kind_of
from portineria.sinks.http import Http
from portineria.sinks.kind import Away, Sender
from portineria.sinks.setting import cleaned
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.endpoint import Webhooks, as_json, serving
from tests.unit.sinks.events import outgoing

NAME, OTHER, SECRET, HANGING = "siem.plant.example", "other.plant.example", bytes(range(32)), 6
EVENTS = [outgoing("operation.refused", 1)]


def says(file: Path, text: str) -> None:
    """In place: it is mounted where the system looks."""
    file.write_text(text)


def opened(kind: str, settings: Mapping[str, str]) -> Sender:
    known = kind_of(kind)
    assert known is not None
    return known.open(cleaned(known.settings, settings))


async def sent_by(sender: Sender) -> str:
    try:
        await sender.send(EVENTS)
    except Away as error:
        return str(error)
    return "taken"


async def outcome(kind: str, settings: Mapping[str, str]) -> str:
    sender = opened(kind, settings)
    try:
        return await sent_by(sender)
    finally:
        await sender.close()


async def asked_in_turn(settings: Mapping[str, str], address: str) -> str:
    """What becomes of a question to another name at the address where a connection to the first one stands."""
    http = Http(settings)
    try:
        for asked in (address, address.replace(NAME, OTHER)):
            await http.post(asked, b"{}", {})
    except Away as error:
        return str(error)
    finally:
        await http.close()
    return "answered"


async def moved(settings: Mapping[str, str], hosts: Path) -> list[str]:
    """Of one sender, whose receiver's name leads to where nobody answers, and then to where it is now."""
    before, port = "127.0.0.2", int(settings["address"].rpartition(":")[2])
    sender, waiting = opened("webhook", settings), [socket.socket() for _ in range(3)]
    with contextlib.ExitStack() as held, socket.create_server((before, port), backlog=0):
        for one in waiting:  # nobody is let in: the room before the door is full
            held.enter_context(one).setblocking(False)
            one.connect_ex((before, port))
        says(hosts, f"{before} {NAME}\n")
        said = [await sent_by(sender)]
        says(hosts, f"127.0.0.1 {NAME}\n")
        said.append(await sent_by(sender))
    await sender.close()
    return said


async def told(folder: Path, hosts: Path, resolver: Path) -> dict[str, object]:
    authority, endpoint = Authority(), Webhooks(SECRET)
    says(folder / "chain.pem", "".join(authority.issue("receiver", called=NAME)))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "chain.pem")
    datagrams, silent = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with serving(endpoint, tls) as address, datagrams, silent:
        datagrams.bind(("127.0.0.1", 0))
        place = {"address": address.replace("127.0.0.1", NAME), "authorities": authority.certificate,
                 "secret": f"whsec_{base64.b64encode(SECRET).decode()}"}  # fmt: skip
        udp = {"host": NAME, "transport": "udp", "port": str(datagrams.getsockname()[1])}
        endpoint.faults = [as_json(200, {})] * 2
        stranger = await asked_in_turn({"authorities": authority.certificate}, place["address"])
        endpoint.faults.clear()
        known = [await outcome("webhook", place), await outcome("syslog", udp)]
        says(hosts, "")
        mail = {"host": NAME, "port": "25", "sender": "a@example.com", "recipient": "b@example.com"}
        tcp = {"host": NAME, "transport": "tcp"}
        everybody = (("webhook", place), ("syslog", udp), ("syslog", tcp), ("mail", mail))
        gone = [await outcome(kind, given) for kind, given in everybody]
        says(hosts, f"127.0.0.1 {NAME}\n")
        back = [await outcome("webhook", place), await outcome("syslog", udp)]
        elsewhere = await moved(place, hosts)

        silent.settimeout(20)
        silent.bind(("127.0.0.1", 53))  # from now on a resolver that is there and says nothing
        says(resolver, "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
        hanging = [
            asyncio.ensure_future(outcome("webhook", place | {"address": f"https://{number}.example"}))
            for number in range(HANGING)
        ]
        await asyncio.to_thread(lambda: [silent.recv(512) for _ in range(2 * HANGING)])  # A and AAAA of each
        other = await outcome("webhook", place)
        for one in hanging:
            one.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
    return {
        "stranger": stranger,
        "known": known,
        "gone": gone,
        "back": back,
        "elsewhere": elsewhere,
        "other, while many names hang": other,
        "wrong": endpoint.wrong,
    }


def main(folder: Path) -> None:
    hosts, resolver = folder / "hosts", folder / "resolv.conf"
    hosts.write_text(f"127.0.0.1 {NAME} {OTHER}\n")
    resolver.write_text("nameserver 127.0.0.1\n")  # where nobody is
    for command in (
        ["ip", "link", "set", "lo", "up"], ["mount", "--bind", str(hosts), "/etc/hosts"],
        ["mount", "--bind", str(resolver), "/etc/resolv.conf"],
    ):  # fmt: skip
        subprocess.run(command, check=True)
    sys.stdout.write(json.dumps(uvloop.run(told(folder, hosts, resolver))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
