# SPDX-License-Identifier: Apache-2.0
"""The few requests a gateway makes to the control plane: JSON over HTTPS, through the proxy where there is one.

The server's TLS certificate is not checked: a plant may have no roots, no time and a proxy that opens TLS. Every answer
carries its own proof (the code's secret, or a signature chain to the pinned root), and nothing secret is sent. For the
same reason plain HTTP is accepted, as a control plane without a name of its own offers it in a workshop.
"""

import base64
import binascii
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from portineria.core.errors import Invalid, NotFound, PortineriaError, ProtocolError
from portineria.dataplane.aio.away import ServerAway, away
from portineria.dataplane.aio.dial import proxy_for
from portineria.dataplane.aio.https import https_handler
from portineria.wire.http_connect import Proxy, refusal

ANSWER_BYTES = 256 << 10  # trust with 64 relays and a dozen certificates is about 20 KiB
TIMEOUT_S = 15.0


class BadAnswer(ProtocolError):
    code = "server.answer"


class Refused(NotFound):
    """``code`` is the server's own."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class BadUrl(Invalid):
    code = "server.url"


def base_url(url: str) -> str:
    """``https://host[:port]`` without a slash at its end; raise BadUrl."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise BadUrl(f"{url}: write https://HOST[:PORT]")
    return url.rstrip("/")


def post(url: str, body: dict[str, Any], *, proxy: str | None) -> dict[str, Any]:
    """The JSON object of a 2xx answer. Blocks: call it in a thread.

    Raises Refused (4xx), ServerAway, NoTls, ProxyRefused, BadProxyAnswer, BadAnswer, BadProxy.
    """
    content = msgspec.json.encode(body)
    return post_bytes(url, [content], len(content), {"Content-Type": "application/json"}, proxy=proxy)


def post_bytes(
    url: str, body: Iterable[bytes], size: int, headers: dict[str, str], *, proxy: str | None
) -> dict[str, Any]:
    """The same with any body of ``size`` bytes, sent as fast as it comes out of the iterable."""
    way = proxy_for(urlsplit(url).hostname or "", proxy)
    request = urllib.request.Request(  # noqa: S310 - base_url allows http and https only
        url, data=body, method="POST",
        headers={"Accept": "application/json", "Content-Length": str(size), **headers},
    )  # fmt: skip
    try:
        with _opener(way).open(request, timeout=TIMEOUT_S) as answer:
            return _object(answer.read(ANSWER_BYTES + 1))
    except urllib.error.HTTPError as error:
        with error:
            content = error.read(ANSWER_BYTES + 1)
            by_proxy = way is not None and url.startswith("http:") and not _is_problem(content)
            raise refusal(error.code) if by_proxy else _refusal(error.code, content) from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise away(error, urlsplit(url).netloc) from error


def _opener(proxy: Proxy | None) -> urllib.request.OpenerDirector:
    proxies = {}
    if proxy is not None:
        user = "" if proxy.user is None else f"{quote(proxy.user, safe='')}:{quote(proxy.password or '', safe='')}@"
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        proxies = {"http": f"http://{user}{host}:{proxy.port}"}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies), https_handler(context, proxy), _NoRedirect()
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > ANSWER_BYTES:
        raise BadAnswer(f"an answer of more than {ANSWER_BYTES} bytes")
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadAnswer("the server's answer is no JSON") from error
    if not isinstance(found, dict):
        raise BadAnswer("the server's answer is no object")
    return found


def _is_problem(content: bytes) -> bool:
    """Whether our server said it; without TLS its proxy answers in the same place."""
    try:
        return "code" in _object(content)
    except BadAnswer:
        return False


def _refusal(status: int, data: bytes) -> PortineriaError:
    try:
        problem = _object(data)
    except BadAnswer:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")[:300]
    if status >= 500 or status in (408, 429):
        return ServerAway(detail)
    return Refused(str(problem.get("code", "server.refused"))[:64], detail)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(answer: dict[str, Any], field: str) -> bytes:
    """The bytes of a field; raise BadAnswer."""
    text = answer.get(field)
    if not isinstance(text, str):
        raise BadAnswer(f"the server's answer lacks {field}")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadAnswer(f"{field} is no base64") from error
