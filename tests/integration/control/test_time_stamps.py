# SPDX-License-Identifier: Apache-2.0
"""Checkpoints stamped by a real authority: `openssl ts` behind a small HTTP server."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from django.utils import timezone

from portineria.cli.main import main
from portineria.control.audit import stamping
from portineria.control.audit.models import Checkpoint, TimeStamp
from portineria.control.identity.authority import Operator
from portineria.control.identity.register import export_register, seal_to_the_end
from portineria.control.settings.start import current
from portineria.control.stamping import Stamping
from portineria.ledger.timestamp import BadStamp, read_authorities, stamped_at, write_request
from portineria.process.settings import BadSettings
from tests.integration.control.world import World

CONFIG = """
[tsa]
default_tsa = here
[here]
dir = .
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
[usage]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
"""


class Authority:
    """``answer``: what it says instead of a stamp."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.answer, self.asked = folder, None, 0
        folder.mkdir()
        (folder / "ts.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01")
        new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
        self.run(*new, "-x509", "-days", "30", "-subj", "/CN=root", "-keyout", "root.key", "-out", "root.pem")
        self.run(*new, "-subj", "/CN=tsa", "-keyout", "tsa.key", "-out", "tsa.csr")
        self.run("openssl", "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-days", "30",
                 "-set_serial", "7", "-extfile", "ts.cnf", "-extensions", "usage", "-out", "tsa.pem")  # fmt: skip
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                authority.asked += 1
                content = authority.answer if authority.answer is not None else authority.stamp(body)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    answer: bytes | None

    def run(self, *command: str) -> None:
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/tsa"

    @property
    def root(self) -> list[x509.Certificate]:
        return read_authorities((self.folder / "root.pem").read_bytes())

    def stamp(self, request: bytes) -> bytes:
        (self.folder / "request").write_bytes(request)
        self.run(
            "openssl",
            "ts",
            "-reply",
            "-config",
            "ts.cnf",
            "-queryfile",
            "request",
            "-out",
            "reply",
        )
        return (self.folder / "reply").read_bytes()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = Authority(tmp_path_factory.mktemp("tsa") / "one")
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def stamper(authority: Authority) -> Stamping:
    authority.answer = None
    settings = msgspec.structs.replace(
        current(), timestamp_url=authority.url, timestamp_authorities=authority.folder / "root.pem"
    )
    return Stamping(settings)


def test_a_stamp_says_when_and_covers_this_text_only(authority: Authority) -> None:
    authority.answer = None
    text = "portineria/ins_a/org_a\n7\nAAAA\n"
    stamp = authority.stamp(write_request(text))
    assert abs(stamped_at(text, stamp, authority.root) - timezone.now()) < timedelta(minutes=2)
    with pytest.raises(BadStamp):
        stamped_at(text.replace("7", "8"), stamp, authority.root)
    with pytest.raises(BadStamp):
        stamped_at(text, stamp[:-30], authority.root)
    with pytest.raises(BadStamp):
        stamped_at(text, b"\x30" * 40_000, authority.root)


def test_another_authority_counts_for_nothing(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "two")
    other.server.shutdown()
    other.server.server_close()
    text = "portineria/ins_a/org_a\n7\nAAAA\n"
    with pytest.raises(BadStamp):
        stamped_at(text, other.stamp(write_request(text)), authority.root)


@pytest.mark.django_db(transaction=True)
def test_the_newest_checkpoint_is_stamped_and_verifies_offline(
    committed_world: World, authority: Authority, stamper: Stamping, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal_to_the_end(committed_world.organisation)
    asyncio.run(stamper.round())
    assert TimeStamp.objects.filter(checkpoint__organisation=committed_world.organisation).count() == 1
    file = tmp_path / "register.jsonl"
    file.write_bytes(b"".join(export_register(actor=Operator(), organisation=committed_world.organisation)))
    root = authority.folder / "root.pem"
    assert main(["ledger", "verify", str(file), "--tsa", str(root)]) == 0
    assert "were stamped at" in capsys.readouterr().out
    assert main(["ledger", "verify", str(file)]) == 0
    assert "1 time stamps were not checked" in capsys.readouterr().out
    assert main(["ledger", "verify", str(file), "--tsa", str(file)]) == 2
    file.write_bytes(file.read_bytes().replace(b'"stamps":["MII', b'"stamps":["MIJ'))
    assert main(["ledger", "verify", str(file), "--tsa", str(root)]) == 1
    assert "the time stamp does not fit" in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_a_register_is_stamped_again_when_it_has_grown_and_the_time_has_come(
    committed_world: World, authority: Authority, stamper: Stamping
) -> None:
    seal_to_the_end(committed_world.organisation)
    asyncio.run(stamper.round())
    before = authority.asked
    asyncio.run(stamper.round())
    assert authority.asked == before
    list(export_register(actor=Operator(), organisation=committed_world.organisation))
    later = timezone.now() + timedelta(hours=2)
    due = [row.organisation for row in stamping.due(timedelta(hours=1), later)]
    assert due == [committed_world.organisation]
    assert stamping.due(timedelta(hours=3), later) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answer", [b"", b"no stamp", b"\x30\x03\x02\x01\x02", b"x" * 100_000])
def test_what_an_authority_says_otherwise_is_not_kept_and_nothing_waits_for_it(
    committed_world: World, authority: Authority, stamper: Stamping, answer: bytes
) -> None:
    seal_to_the_end(committed_world.organisation)
    authority.answer = answer
    asyncio.run(stamper.round())
    assert not TimeStamp.objects.exists()
    assert Checkpoint.objects.exists()
    asked = authority.asked
    asyncio.run(stamper.round())
    assert authority.asked == asked  # it is left alone for a while


def test_an_authority_without_its_root_is_refused(authority: Authority) -> None:
    settings = msgspec.structs.replace(current(), timestamp_url=authority.url)
    with pytest.raises(BadSettings, match="timestamp_authorities"):
        Stamping(settings)
