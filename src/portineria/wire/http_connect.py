# SPDX-License-Identifier: Apache-2.0
"""HTTP CONNECT, the way out of most factories: RFC 9110 9.3.6, Basic credentials RFC 7617."""

import base64
import re
from dataclasses import dataclass

from portineria.core.errors import ProtocolError, Unavailable

ANSWER_BYTES = 16384  # squid's longest error header is far below; the body of a refusal is not read
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]{0,200}))?\r?\n")


class BadProxyAnswer(ProtocolError):
    code = "proxy.answer"


class ProxyRefused(Unavailable):
    code = "proxy.refused"


class ProxyCredentials(ProxyRefused):
    """It wants a name and a password, or others than it got."""

    code = "proxy.credentials"


@dataclass(frozen=True, slots=True)
class Proxy:
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:  # the password must not reach a log line
        return f"Proxy({self.host}:{self.port})"


def request(host: str, port: int, proxy: Proxy) -> bytes:
    for part in (host, proxy.user or "", proxy.password or ""):
        if re.search(r"[\r\n\0]", part):
            raise BadProxyAnswer("a line break in the address or the credentials")
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {at} HTTP/1.1", f"Host: {at}"]
    if proxy.user is not None:
        credentials = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def refusal(status: int) -> ProxyRefused:
    if status == 407:
        return ProxyCredentials("the proxy wants other credentials (407)")
    return ProxyRefused(f"the proxy answered {status}")


def answered(received: bytes) -> bool:
    """Whether the proxy opened the way: False while the answer is incomplete. Bytes behind it are an error.

    Raise ProxyRefused with the proxy's own status, BadProxyAnswer for anything that is no HTTP answer.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > ANSWER_BYTES:
            raise BadProxyAnswer("the proxy's answer does not end")
        return False
    status = _STATUS.match(received)
    if status is None:
        raise BadProxyAnswer("the proxy does not speak HTTP")
    number = int(status[1])
    if not 200 <= number < 300:
        raise refusal(number)
    if len(received) != end + 4:
        raise BadProxyAnswer("bytes from the proxy before the tunnel was used")
    return True
