# SPDX-License-Identifier: Apache-2.0
"""HTTPS that leaves through the proxy as the legs do: asked the same way, the same words when it refuses. Blocks."""

import http.client
import socket
import ssl
import urllib.request
from typing import Any

from portineria.wire.http_connect import Proxy, ProxyRefused, answered, request


class _Tunnel(http.client.HTTPSConnection):
    def __init__(self, host: str, *, proxy: Proxy, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, context=context, timeout=timeout)
        self._proxy, self._tls, self._timeout_s = proxy, context, timeout

    def connect(self) -> None:
        """Raises ProxyRefused, BadProxyAnswer, OSError."""
        try:
            sock = socket.create_connection((self._proxy.host, self._proxy.port), self._timeout_s)
        except OSError as error:
            raise ProxyRefused(f"{self._proxy.host}:{self._proxy.port} cannot be reached") from error
        try:
            sock.sendall(request(self.host, self.port, self._proxy))
            received = b""
            while not answered(received):
                data = sock.recv(4096)
                if not data:
                    raise ConnectionError("the proxy closed the connection")
                received += data
            self.sock = self._tls.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise


class _ThroughProxy(urllib.request.HTTPSHandler):
    def __init__(self, proxy: Proxy, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._how: dict[str, Any] = {"proxy": proxy, "context": context}

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Tunnel, req, **self._how)  # type: ignore[arg-type]  # of typeshed: HTTPConnection only


def https_handler(context: ssl.SSLContext, proxy: Proxy | None) -> urllib.request.HTTPSHandler:
    """For ``urllib.request.build_opener``, beside an empty ProxyHandler: else urllib looks at the surroundings itself.

    Opening raises ProxyRefused, ProxyCredentials and BadProxyAnswer besides what urllib raises.
    """
    return _ThroughProxy(proxy, context) if proxy else urllib.request.HTTPSHandler(context=context)
