# SPDX-License-Identifier: Apache-2.0
"""Syslog over mutual TLS to syslog-ng, which reads it by a parser of its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from portineria.sinks.catalogue import kind_of
from portineria.sinks.kind import Away, Sender, Taken
from portineria.sinks.outgoing import written
from portineria.sinks.setting import cleaned
from tests.integration.process import eventually
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.syslog_ng import SyslogNg
from tests.unit.sinks.events import outgoing

HOSTILE = 'a"b\\c]d\r\n<34>1 - evil - - - - x\x00 [event@32473 targets="z"]'


def opened(port: int, authority: str, certificate: str = "", key: str = "") -> Sender:
    kind = kind_of("syslog")
    assert kind is not None
    given = {"host": "127.0.0.1", "port": str(port), "transport": "tls", "authorities": authority,
             "certificate": certificate, "key": key}  # fmt: skip
    return kind.open(cleaned(kind.settings, given))


async def test_every_event_is_read_as_it_was_meant_and_only_from_us(tmp_path: Path) -> None:
    """Killed between two batches; the second comes again when it is back."""
    authority = Authority()
    receiver = SyslogNg(tmp_path / "syslog-ng", authority)
    await receiver.start()
    sender = opened(receiver.port, authority.certificate, *authority.issue("portineria"))
    events = [outgoing("operation.refused", seq, targets=HOSTILE) for seq in range(1, 401)]
    assert await sender.send(events[:200]) == Taken(200)
    await eventually(lambda: len(receiver.received) == 200, "the first batch is written")
    await receiver.process.kill()
    with pytest.raises(Away):
        await sender.send(events[200:])
    await receiver.start()
    assert await sender.send(events[200:]) == Taken(200)
    over = authority.issue("portineria", lasts=timedelta(seconds=-1))
    for stranger in ((), authority.issue("somebody else"), Authority().issue("portineria"), over):
        with pytest.raises(Away):
            await opened(receiver.port, authority.certificate, *stranger).send(events[:1])
    with pytest.raises(Away, match="certificate"):
        await opened(receiver.port, Authority().certificate, *authority.issue("portineria")).send(events[:1])
    await eventually(lambda: len(receiver.received) >= 400, "the second batch is written")
    await receiver.process.kill()
    data = [message["_SDATA"] for message in receiver.received]
    assert [int(one["portineria@32473"]["seq"]) for one in data] == list(range(1, 401))
    assert {one["event@32473"]["targets"] for one in data} == {written(HOSTILE)}
    assert {frozenset(one) for one in data} == {frozenset({"portineria@32473", "event@32473"})}
    assert {(one["host"], one["msgid"]) for one in receiver.received} == {("console.example", "operation.refused")}
