# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from portineria.sinks.catalogue import kind_of
from portineria.sinks.kind import Away, Taken
from portineria.sinks.setting import cleaned
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.post_office import PASSWORD, USER, PostOffice
from tests.unit.sinks.events import outgoing


async def test_mails_are_handed_over_encrypted_and_count_when_the_server_took_them(tmp_path: Path) -> None:
    authority, kind = Authority(), kind_of("mail")
    (tmp_path / "chain.pem").write_text("".join(authority.issue("receiver")))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "chain.pem")
    office = PostOffice(tls)
    events = [outgoing("operation.refused", 1, targets="x\r\n.\r\nRCPT TO:<a@b>"), outgoing("access.grant.given", 2)]
    assert kind is not None
    with office.open() as port:
        place = {"host": "127.0.0.1", "port": str(port), "sender": "portineria@example.com", "recipient": USER,
                 "user": USER, "password": PASSWORD, "authorities": authority.certificate}  # fmt: skip
        assert await kind.open(cleaned(kind.settings, place)).send(events) == Taken(2)
        for changed, said in (({"password": "other"}, "SMTP 535"), ({"authorities": ""}, "certificate")):
            with pytest.raises(Away, match=said):
                await kind.open(cleaned(kind.settings, place | changed)).send(events)
        office.full = "452 full"
        with pytest.raises(Away, match="SMTP 452"):
            await kind.open(cleaned(kind.settings, place)).send(events)
        office.injected = b"250 a\r\n235 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n"
        with pytest.raises(Away, match="SMTP 452"):
            await kind.open(cleaned(kind.settings, place)).send(events)
    [mail] = office.mails
    assert mail["Subject"] == "Portineria: 2 events, the worst warning"
    assert mail["To"] == USER
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert len(text.splitlines()) == 2
    assert set(office.clear) == {"EHLO", "STARTTLS"}
