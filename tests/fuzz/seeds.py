# SPDX-License-Identifier: Apache-2.0
"""What a fuzzer begins with: conversations of the protocols' own tests, and of real captures where there are some."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

from tests.fuzz.decoding import MOST_STEPS, script

SEVERAL = 8  # of a protocol's examples in one conversation
_EACH = 40  # conversations of one capture


def seeds(protocol: str, most_bytes: int) -> Iterator[bytes]:
    for count in (1, SEVERAL):
        yield from conversations(protocol, count)
    if folder := os.environ.get("PORTINERIA_CORPUS"):
        yield from _captured(protocol, Path(folder), most_bytes)


def conversations(protocol: str, count: int) -> Iterator[bytes]:
    """So many examples in each."""
    known = iter(examples(protocol))
    while part := list(islice(known, count)):
        for opened in (False, True):
            yield script([(from_client, content, True) for from_client, content in part], opened=opened)


def examples(protocol: str) -> list[tuple[bool, bytes]]:
    """By the client?, content that is to be framed."""
    place = f"tests.unit.protocols.{protocol}"
    if protocol == "modbus":
        rows = importlib.import_module(f"{place}.test_requests").EXAMPLES
        return [(way, b"\x41" + bytes.fromhex(row[not way])) for row in rows for way in (True, False)]
    if protocol in ("iec104", "dnp3"):
        requests = importlib.import_module(f"{place}.test_requests")
        asked, told = ([bytes.fromhex(row[0]) for row in rows] for rows in (requests.ASKED, requests.TOLD))
        return _in_turn(asked, told)
    if protocol == "s7comm":
        hostile = importlib.import_module(f"{place}.test_hostile")
        return _in_turn([each[7:] for each in hostile.REQUESTS], [each[7:] for each in hostile.ANSWERS])
    if protocol == "cip":
        properties = importlib.import_module(f"{place}.test_properties")
        return [
            (True, head + each)
            for each in (*properties.ACTS, *properties.LOOKS, *properties.FILES)
            for head in (b"\0", b"\x81")
        ]
    talk = importlib.import_module(f"{place}.conversation")
    node = b"\1\2\x07\0"
    bodies = [talk.reading(node, node), talk.writing(node, b"\x07\1\0\0\0")]
    services = importlib.import_module("portineria.protocols.opcua.services").SERVICES
    bodies += [talk.service(number, talk.HEADER) for number in services]
    bodies += [talk.calling(node, method, *given) for method, *given in talk.FILE_CALLS]
    told = [talk.told(b"\x07\1\0\0\0"), talk.called(), talk.called(talk.HANDLE), talk.called(talk.OCTETS)]
    return _in_turn([b"\0" + each for each in bodies], [b"\0" + each for each in told])


def _in_turn(asked: list[bytes], told: list[bytes]) -> list[tuple[bool, bytes]]:
    both = zip_longest(asked, told)
    return [(way, each) for pair in both for way, each in zip((True, False), pair, strict=True) if each is not None]


def _captured(protocol: str, corpus: Path, most_bytes: int) -> Iterator[bytes]:
    """Both directions as they came, from where a connection begins."""
    figures = importlib.import_module(f"tests.unit.protocols.{protocol}.figures")
    connections = importlib.import_module("tests.corpus.tcp").connections
    for capture in figures.CAPTURES:
        for connection in connections(corpus / capture)[:_EACH]:
            if not connection.from_start:
                continue
            said = [(piece.from_client, piece.data, False) for piece in connection.pieces[:MOST_STEPS] if piece.data]
            for count in (8, len(said)):
                octets = script(said[:count])
                if len(octets) <= most_bytes:
                    yield octets
