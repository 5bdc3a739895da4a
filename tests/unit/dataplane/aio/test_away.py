# SPDX-License-Identifier: Apache-2.0
import errno
import http.client
import socket
import ssl
import urllib.error

import pytest

from portineria.core.errors import Unavailable
from portineria.dataplane.aio.away import NoTls, ServerAway, ServerRefuses, ServerSilent, ServerUnknown, away
from portineria.dataplane.connector.text import text_of

HOST = "console.example:8443"


def from_ssl(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), ServerRefuses),
        (TimeoutError("timed out"), ServerSilent),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), ServerUnknown),
        (from_ssl("WRONG_VERSION_NUMBER"), NoTls),
        (from_ssl("TLSV1_ALERT_PROTOCOL_VERSION"), ServerAway),
        (OSError(errno.EHOSTUNREACH, "No route to host"), ServerAway),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), ServerAway),
        (http.client.RemoteDisconnected("Remote end closed connection without response"), ServerAway),
        (http.client.BadStatusLine("SSH-2.0"), ServerAway),
        (ConnectionError("the proxy closed the connection"), ServerAway),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value),
)
def test_each_way_of_being_away_has_a_plain_line_with_a_remedy(error: OSError, kind: type[Unavailable]) -> None:
    for seen in (error, urllib.error.URLError(error)):
        found = away(seen, HOST)
        assert type(found) is kind
        assert HOST in str(found)
        line = text_of(found.code, why=str(found)) or ""
        assert "[Errno" not in line
        assert "[SSL" not in line
        assert "heck" in line or "ry again" in line
