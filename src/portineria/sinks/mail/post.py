# SPDX-License-Identifier: Apache-2.0
"""One mail to one recipient, by a connection of its own."""

import asyncio
import ssl
from collections.abc import Mapping

from portineria.sinks.kind import Away
from portineria.sinks.mail.smtp import LINE_BYTES, Smtp
from portineria.sinks.name import connected
from portineria.sinks.syslog.line import reason

_TAKE_S = 60.0


async def post(settings: Mapping[str, str], tls: ssl.SSLContext, recipient: str, text: bytes) -> None:
    """``settings`` as ``mail.SETTINGS`` has them. Return once the server took responsibility for it. Raise Away."""
    try:
        async with asyncio.timeout(_TAKE_S):
            await _hand_over(settings, tls, recipient, text)
    except (OSError, TimeoutError) as error:
        raise Away(reason(error)) from error


async def _hand_over(given: Mapping[str, str], tls: ssl.SSLContext, recipient: str, text: bytes) -> None:
    at_once = tls if given["encryption"] == "tls" else None
    reader, writer = await connected(given["host"], int(given["port"]), tls=at_once, limit=LINE_BYTES)
    line = Smtp(reader, writer)
    try:
        await line.greet()
        if at_once is None:
            await line.encrypt(tls, given["host"])
        if given["user"]:
            await line.sign_in(given["user"], given["password"])
        await line.hand_over(given["sender"], recipient, text)
    finally:
        line.end()
        writer.transport.abort()  # the line below TLS, where that did not come to stand
