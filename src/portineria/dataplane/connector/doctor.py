# SPDX-License-Identifier: Apache-2.0
"""What keeps a connector from working, as far as this computer can tell. Changes nothing; blocks."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from portineria.core.errors import PortineriaError
from portineria.dataplane.aio.dial import BadProxy, proxy_for
from portineria.dataplane.connector.state import Store
from portineria.doctor import machine, path
from portineria.doctor.finding import Finding, fault, ok, warning


def examine(store: Store, url: str | None, surroundings: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    try:
        server = store.server(url)
        store.credential(server.url)
    except PortineriaError as error:
        yield fault(
            "sign-in", str(error), "This computer is signed in to no server.", "portineria login URL, then try again."
        )  # fmt: skip
        return
    ends = datetime.fromisoformat(server.expires_at).replace(tzinfo=UTC)
    if ends <= now:
        yield warning("sign-in", f"ended {ends:%Y-%m-%d %H:%M}Z", "Nothing works without it.", "portineria login again")
    else:
        yield ok("sign-in", f"{server.url}, until {ends:%Y-%m-%d %H:%M}Z")
    yield machine.proxies(surroundings, used=not server.proxy)
    parts = urlsplit(server.url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    try:
        way = path.Way(host, parts.port or (443 if secure else 80), proxy_for(host, server.proxy or None))
    except BadProxy as error:
        yield fault(
            "proxy", str(error), "Nothing leaves this network.", "portineria login URL --proxy http://HOST:PORT."
        )
        return
    yield from path.verified(way, server.ca) if secure else path.tcp(way)
    yield from path.clock(way, secure=secure)
