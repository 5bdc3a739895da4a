# SPDX-License-Identifier: Apache-2.0
"""syslog-ng as the second receiver of syslog: RFC 5425 with mutual TLS, each message parsed by it and kept as JSON."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.integration.process import Process, eventually, free_port
from tests.integration.sinks.certificates import Authority

ROOT = Path("/usr/local/lib/portineria-tests")  # scripts/debian-packages unpacks it there: rsyslog is installed
TEMPLATE = (
    "$(format-json --scope none --pair head=$MSGHDR --pair msgid=$MSGID --pair host=$HOST --pair text=$MSG"
    " --key .SDATA.*)"
)
CONFIG = """
@version: 3.35
options {{ keep-hostname(yes); chain-hostnames(no); use-dns(no); log-msg-size(65536); flush-lines(1); }};
source tls {{ syslog(ip("127.0.0.1") port({port}) transport("tls") tls(
    ca-file("{folder}/authority.pem") cert-file("{folder}/receiver.pem") key-file("{folder}/receiver.key")
    peer-verify(required-trusted) trusted-dn("CN=portineria"))); }};
destination kept {{ file("{folder}/received"
    template("{template}\\n")
    template-escape(no)); }};
log {{ source(tls); destination(kept); }};
"""


class SyslogNg:
    """The port stays the same over a restart."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        if not (ROOT / "usr/sbin/syslog-ng").exists():
            pytest.skip("syslog-ng is missing: scripts/debian-packages test (as root)")
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        certificate, key = authority.issue("receiver")
        files = {"authority.pem": authority.certificate, "receiver.pem": certificate, "receiver.key": key}
        for name, content in files.items():
            (folder / name).write_text(content)
        (folder / "syslog-ng.conf").write_text(CONFIG.format(folder=folder, port=self.port, template=TEMPLATE))
        self._modules = next(ROOT.glob("usr/lib*/**/syslog-ng/*/libsyslogformat.so")).parent
        libraries = {str(found.parent) for found in ROOT.rglob("lib*.so.*")}
        self._environment = {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}
        self.process = self._made()

    def _made(self) -> Process:
        own = {"f": "syslog-ng.conf", "R": "persist", "p": "pid", "c": "control"}
        arguments = [part for flag, name in own.items() for part in (f"-{flag}", str(self.folder / name))]
        arguments += ["--foreground", "--no-caps", "--stderr", f"--module-path={self._modules}"]
        return Process(arguments, self.folder / "log", program=str(ROOT / "usr/sbin/syslog-ng"))

    async def start(self) -> None:
        self.process = self._made()
        await self.process.start(environment=self._environment)
        await eventually(self._answers, "syslog-ng listens")

    def _answers(self) -> bool:
        with socket.socket() as line:
            return not line.connect_ex(("127.0.0.1", self.port))

    @property
    def received(self) -> list[dict[str, Any]]:
        file = self.folder / "received"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
