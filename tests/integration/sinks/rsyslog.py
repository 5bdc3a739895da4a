# SPDX-License-Identifier: Apache-2.0
"""Debian's rsyslog as the receiver: UDP, TCP and mutual TLS, each message parsed by it and kept as one line of JSON."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.integration.process import Process, eventually, free_port
from tests.integration.sinks.certificates import Authority

PROGRAM = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
CONFIG = """
global(workDirectory="{folder}" maxMessageSize="64k"
       defaultNetstreamDriverCAFile="{folder}/authority.pem"
       defaultNetstreamDriverCertFile="{folder}/receiver.pem"
       defaultNetstreamDriverKeyFile="{folder}/receiver.key")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name"
       PermittedPeer=["portineria"])
module(load="mmpstrucdata")
template(name="one" type="list") {{
    constant(value="{{") property(outname="head" name="syslogtag" format="jsonf") constant(value=", ")
    property(outname="pri" name="pri" format="jsonf") constant(value=", ")
    property(outname="host" name="hostname" format="jsonf") constant(value=", ")
    property(outname="msgid" name="msgid" format="jsonf") constant(value=", ")
    property(outname="text" name="msg" format="jsonf") constant(value=", \\"data\\": ")
    property(name="$!") constant(value="}}\\n")
}}
ruleset(name="all") {{
    set $!seen = 1;
    action(type="mmpstrucdata")
    action(type="omfile" file="{folder}/received" template="one" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="all")
input(type="imptcp" address="127.0.0.1" port="{tcp}" ruleset="all")
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="all")
"""


class Rsyslog:
    """Ports stay the same over a restart."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        if not Path(PROGRAM).exists():
            pytest.skip("rsyslog is missing: apt-get install rsyslog rsyslog-gnutls")
        folder.mkdir()
        self.folder, self.udp, self.tcp, self.tls = folder, free_port(), free_port(), free_port()
        certificate, key = authority.issue("receiver")
        files = {"authority.pem": authority.certificate, "receiver.pem": certificate, "receiver.key": key}
        for name, content in files.items():
            (folder / name).write_text(content)
        config = CONFIG.format(folder=folder, udp=self.udp, tcp=self.tcp, tls=self.tls)
        (folder / "rsyslog.conf").write_text(config)
        self.credentials = ("", "", "")
        self._arguments = ["-n", "-C", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
        self.process = self._made()

    def _made(self) -> Process:
        return Process(self._arguments, self.folder / "log", program=PROGRAM)

    async def start(self) -> None:
        self.process = self._made()
        await self.process.start()
        await eventually(self._answers, "rsyslog listens")

    def _answers(self) -> bool:
        for port in (self.tcp, self.tls):
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", port)):
                    return False
        return True

    def held(self) -> int:
        """Bytes of senders that lie unread at the TLS port, by the kernel's own list (proc(5), net/tcp)."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
        mine = (row for row in rows if row[1] == f"0100007F:{self.tls:04X}" and row[3] != "0A")
        return sum(int(row[4].split(":")[1], 16) for row in mine)

    @property
    def received(self) -> list[dict[str, Any]]:
        file = self.folder / "received"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
