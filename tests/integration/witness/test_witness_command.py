# SPDX-License-Identifier: Apache-2.0
"""A witness as a process of its own, as anybody runs it: without Django, over HTTP and by a folder."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.ledger.note import parse_verifier_key
from portineria.ledger.witness import (
    REQUEST_BYTES,
    answer_name,
    cosignature_in,
    read_answer,
    read_request,
    request_name,
)
from tests.integration.process import WAIT_S, as_a_child_of_a_test
from tests.unit.witness.history import FORGED, HONEST, ORIGIN, TRUSTED

# Where only the base of Portineria is installed.
PROGRAM = """
import sys
for name in ("django", "allauth", "ninja", "uvicorn"):
    sys.modules[name] = None
from portineria.cli.main import main
sys.exit(main(["witness", *sys.argv[1:]]))
"""


def witness(state: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *map(str, words), "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    assert witness(tmp_path / "w", "init", "witness.example/w1").returncode == 0
    assert witness(tmp_path / "w", "trust", TRUSTED[0]).returncode == 0
    return tmp_path / "w"


@pytest.fixture
def port(state: Path, tmp_path: Path) -> Iterator[int]:
    log = tmp_path / "log"
    with log.open("wb") as file:
        command = [sys.executable, "-c", PROGRAM, "serve", "--listen", "127.0.0.1:0", "--state", str(state)]
        process = subprocess.Popen(command, stdout=file, stderr=file, preexec_fn=as_a_child_of_a_test)
    try:
        deadline = time.monotonic() + WAIT_S
        while not (found := re.search(rb'"listen": ?"127.0.0.1:(\d+)"', log.read_bytes())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(WAIT_S)


def ask(connection: http.client.HTTPConnection, data: bytes) -> tuple[int, str, str]:
    connection.request("POST", "/add-checkpoint", body=data)
    answer = connection.getresponse()
    return answer.status, answer.headers["Content-Type"], answer.read().decode()


def test_the_whole_protocol_over_one_connection(port: int, state: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    key = parse_verifier_key(witness(state, "key").stdout)
    status, _, body = ask(connection, HONEST.request(0, 8))
    assert status == 200
    assert cosignature_in(body, read_request(HONEST.request(0, 8)).note, key)
    assert ask(connection, HONEST.request(0, 20)) == (409, "text/x.tlog.size", "8\n")
    assert ask(connection, HONEST.request(8, 20))[0] == 200
    assert ask(connection, FORGED.request(20, 40))[0] == 422
    assert ask(connection, HONEST.request(0, 8, origin="log.example/unknown"))[0] == 404
    assert ask(connection, b"nonsense")[0] == 400
    status_of = witness(state, "status")
    assert "events 1 to 20 cosigned" in status_of.stdout
    assert (status_of.returncode, "UNPROVEN" in status_of.stderr) == (1, True)
    assert witness(state, "checkpoint", ORIGIN).stdout.startswith(f"{ORIGIN}\n20\n")
    connection.close()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET /add-checkpoint HTTP/1.1\r\n\r\n", b"405"),
        (b"POST /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (REQUEST_BYTES + 1), b"413"),
        (b"POST /add-checkpoint HTTP/1.1\r\n" + b"X: " + b"a" * 20_000, b"431"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_question_ends_the_connection(port: int, data: bytes, expected: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as peer:
        peer.sendall(data)
        answer = b""
        while part := peer.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 " + expected)


def test_a_witness_does_not_listen_outside_without_a_certificate_or_without_its_memory(state: Path) -> None:
    outside = witness(state, "serve", "--listen", "0.0.0.0:0")
    assert (outside.returncode, "loopback" in outside.stderr) == (2, True)
    os.remove(state / "witness.sqlite3")
    lost = witness(state, "serve", "--listen", "127.0.0.1:0")
    assert (lost.returncode, "witness init" in lost.stderr) == (1, True)


def test_requests_on_a_stick_are_answered_offline(state: Path, tmp_path: Path) -> None:
    drop, name = tmp_path / "stick", request_name(ORIGIN, 0, 8)
    drop.mkdir()
    (drop / name).write_bytes(HONEST.request(0, 8))
    done = witness(state, "answer", drop)
    assert (done.returncode, "1 requests answered" in done.stdout) == (0, True)
    key = parse_verifier_key(witness(state, "key").stdout)
    answer = read_answer((drop / answer_name(name, key.key_id)).read_bytes())
    assert cosignature_in(answer.body, read_request(HONEST.request(0, 8)).note, key)
    (drop / request_name(ORIGIN, 1, 8)).write_bytes(FORGED.request(1, 8))
    assert witness(state, "answer", drop).returncode == 1
