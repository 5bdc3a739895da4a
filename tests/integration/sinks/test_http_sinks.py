# SPDX-License-Identifier: Apache-2.0
"""Sinks over HTTP against endpoints that check what vendors document: what is taken, what comes again, what never."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portineria.demo.namespace import available
from portineria.sinks.catalogue import kind_of
from portineria.sinks.http import ANSWER_BYTES
from portineria.sinks.kind import Away, Refused, Sender, Taken
from portineria.sinks.setting import cleaned
from tests.integration.process import eventually
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.clouds import Elastic, Lines, Sentinel
from tests.integration.sinks.endpoint import Splunk, Webhooks, as_json, closed_port, serving
from tests.unit.sinks.events import outgoing

SECRET = bytes(range(32))
WHSEC = "whsec_" + base64.b64encode(SECRET).decode()
EVENTS = [outgoing("operation.refused", seq, targets="holding 104") for seq in range(1, 6)]


@asynccontextmanager
async def opened(kind: str, **settings: str) -> AsyncIterator[Sender]:
    known = kind_of(kind)
    assert known is not None
    sender = known.open(cleaned(known.settings, settings))
    try:
        yield sender
    finally:
        await sender.close()


async def why(sender: Sender) -> str:
    with pytest.raises(Away) as away:
        await sender.send(EVENTS)
    return str(away.value)


async def test_webhooks_are_signed_in_order_and_only_what_was_taken_counts() -> None:
    endpoint = Webhooks(SECRET, refuses=lambda content: content["data"]["seq"] == 4)
    with serving(endpoint) as address:
        async with opened("webhook", address=address, secret=WHSEC) as sender:
            assert await sender.send(EVENTS[:2]) == Taken(2)
            endpoint.faults = [as_json(200, {}), as_json(503, {}, Retry_After="7")]
            taken = await sender.send(EVENTS[2:])
            assert taken.count == 1
            assert taken.away is not None
            assert taken.away.retry_after_s == 7
            with pytest.raises(Refused):
                await sender.send(EVENTS[3:])
            assert await sender.send(EVENTS[:1]) == Taken(1)  # as where its answer was lost: by its id it is known
    first, second = ("org_aaaaaaaaaaaaaaaa-1", 1), ("org_aaaaaaaaaaaaaaaa-2", 2)
    assert endpoint.kept == [first, second, first]
    assert endpoint.wrong == []


async def test_a_redirect_is_not_followed_and_an_answer_has_an_end() -> None:
    elsewhere, endpoint = Webhooks(SECRET), Webhooks(SECRET)
    with serving(elsewhere) as other, serving(endpoint) as address:
        async with opened("webhook", address=address, secret=WHSEC) as sender:
            endpoint.faults = [(307, {"Location": other}, b"")]
            assert await why(sender) == "HTTP 307"
            endpoint.faults = [ANSWER_BYTES + 2]
            assert "more than" in await why(sender)
            endpoint.faults = [0]
            with pytest.raises(TimeoutError):  # a silent one: whoever sends gives up, and nothing counts as taken
                async with asyncio.timeout(0.5):
                    await sender.send(EVENTS)
        async with opened("webhook", address=closed_port(), secret=WHSEC) as sender:
            assert await why(sender)
    assert elsewhere.kept == endpoint.kept == []


async def test_an_https_receiver_has_to_be_the_one_that_was_meant(tmp_path: Path) -> None:
    authority, endpoint = Authority(), Webhooks(SECRET)
    (tmp_path / "chain.pem").write_text("".join(authority.issue("receiver")))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "chain.pem")
    with serving(endpoint, tls) as address:
        trusted = {"address": address, "secret": WHSEC, "authorities": authority.certificate}
        for settings in (trusted | {"authorities": Authority().certificate}, trusted | {"authorities": ""}):
            async with opened("webhook", **settings) as sender:
                assert "certificate verify failed" in await why(sender)
        assert endpoint.kept == []
        async with opened("webhook", **trusted) as sender:
            assert await sender.send(EVENTS) == Taken(5)


async def test_of_a_certificate_that_expires_between_two_batches_nothing_is_lost(tmp_path: Path) -> None:
    """The connection that stands goes on, as TLS has it; no other one is made until the receiver has a new one."""
    authority, endpoint = Authority(), Webhooks(SECRET)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def shows(lasts: timedelta) -> None:
        (tmp_path / "chain.pem").write_text("".join(authority.issue("receiver", lasts=lasts)))
        tls.load_cert_chain(tmp_path / "chain.pem")

    shows(timedelta(seconds=2))
    with serving(endpoint, tls) as address:
        settings = {"address": address, "secret": WHSEC, "authorities": authority.certificate}
        async with opened("webhook", **settings) as before, opened("webhook", **settings) as after:
            assert await before.send(EVENTS[:2]) == Taken(2)
            expired = datetime.now(UTC) + timedelta(seconds=2)
            await eventually(lambda: datetime.now(UTC) > expired, "it has expired")
            assert await before.send(EVENTS[2:3]) == Taken(1)
            assert "certificate has expired" in await why(after)
            shows(timedelta(hours=1))
            assert await after.send(EVENTS[3:]) == Taken(2)
    assert [seq for _key, seq in endpoint.kept] == [1, 2, 3, 4, 5]


def test_a_name_that_vanishes_stops_its_own_receivers_until_it_is_back(tmp_path: Path) -> None:
    """In mounts and a network of its own: see ``names``."""
    if available().kind == "none":
        pytest.skip(f"no namespaces: {available().reason}")
    alone = ["unshare", "--mount", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    command = [*alone, sys.executable, "-m", "tests.integration.sinks.names", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert "certificate verify failed" in said["stranger"]
    assert said["known"] == said["back"] == ["taken"] * 2
    assert said["gone"] == ["Temporary failure in name resolution"] * 4
    assert said["elsewhere"] == ["no answer in time", "taken"]
    assert said["other, while many names hang"] == "taken"
    assert said["wrong"] == []


async def test_splunk_counts_when_an_index_has_it() -> None:
    endpoint = Splunk()
    with serving(endpoint) as address:
        async with opened("splunk", address=address, token=Splunk.TOKEN) as sender:
            assert await sender.send(EVENTS) == Taken(5)
            assert endpoint.kept == [1, 2, 3, 4, 5]
            with pytest.raises(Refused):
                await sender.send([*EVENTS, outgoing("operation.refused", 6, poison=True)])
            faults: Mapping[str, tuple[int, object]] = {
                "HTTP 503": (503, {"text": "Server is busy", "code": 9}),
                "HTTP 400": (400, {"text": "Incorrect index", "code": 7}),
                "HTTP 200, code 8": (200, {"text": "Internal server error", "code": 8}),
                "HTTP 200, code missing": (200, ["<html>"]),
                "this token has no indexer acknowledgement": (200, {"text": "Success", "code": 0}),
            }
            for said, (status, content) in faults.items():
                endpoint.faults = [as_json(status, content)]
                assert await why(sender) == said
            endpoint.faults = [as_json(200, {"code": 0, "ackId": 99}), as_json(400, {"code": 14})]
            assert await why(sender) == "HTTP 400"
        async with opened("splunk", address=address, token="other") as sender:
            assert await why(sender) == "HTTP 403"
    assert endpoint.kept == [1, 2, 3, 4, 5]
    assert endpoint.wrong == []


async def test_elastic_creates_each_event_once_and_says_of_each_what_became_of_it() -> None:
    endpoint = Elastic()
    events = [*EVENTS, outgoing("operation.refused", 6, poison=True), outgoing("operation.refused", 7)]
    endpoint.busy = {events[2].key}
    with serving(endpoint) as address:
        async with opened("elastic", address=address, index="events", api_key=Elastic.KEY) as sender:
            taken = await sender.send(events)
            assert (taken.count, taken.refused) == (2, {})
            assert str(taken.away) == "HTTP 429 for an event"
            taken = await sender.send(events[taken.count :])  # what stood behind it is there already, and counts
            assert taken == Taken(5, {3: "HTTP 400 document_parsing_exception"})
            for content in ({"errors": False}, {"errors": False, "items": []}, "<html>"):
                endpoint.faults = [as_json(200, content)]
                assert "item" in await why(sender)
            endpoint.faults = [as_json(429, {})]
            assert await why(sender) == "HTTP 429"
            endpoint.faults = [as_json(413, {})]
            with pytest.raises(Refused):
                await sender.send(events)
    assert sorted(endpoint.kept) == [1, 2, 3, 4, 5, 7]
    assert endpoint.wrong == []


async def test_sentinel_gets_calls_of_one_megabyte_and_a_token_that_ran_out_is_fetched_anew() -> None:
    endpoint = Sentinel()
    large = [outgoing("operation.refused", seq, targets="x" * 2000, function="y" * 2000) for seq in range(1, 401)]
    with serving(endpoint) as address:
        place = {"address": address, "login": address, "client_secret": "secret", **Sentinel.SETTINGS}
        async with opened("sentinel", **place) as sender:
            sent = (await sender.send(large)).count
            assert 200 < sent < 400
            endpoint.expire()
            assert (await sender.send(large[sent:])).count == 400 - sent
            assert endpoint.tokens == 3
            for fault, said in ((as_json(429, {}, Retry_After="30"), "HTTP 429"), (as_json(403, {}), "HTTP 403")):
                endpoint.faults = [fault]
                assert await why(sender) == said
        async with opened("sentinel", **{**place, "client_secret": "other"}) as sender:
            assert await why(sender) == "no token: HTTP 401"
    assert endpoint.kept == list(range(1, 401))
    assert max(endpoint.sizes) <= 1_000_000
    assert endpoint.wrong == []


async def test_ocsf_is_sent_as_lines() -> None:
    endpoint = Lines()
    with serving(endpoint) as address:
        async with opened("ocsf", address=address, token="t") as sender:
            assert await sender.send(EVENTS) == Taken(5)
            endpoint.faults = [as_json(500, {})]
            assert await why(sender) == "HTTP 500"
    assert (endpoint.kept, endpoint.wrong) == ([1, 2, 3, 4, 5], [])
