# SPDX-License-Identifier: Apache-2.0
"""Why a server could not be asked over HTTPS, told apart by what helps. The library's own words help nobody."""

import http.client
import socket
import ssl
import urllib.error

from portineria.core.errors import Unavailable

# OpenSSL's names, of several versions, for an answer that is no TLS at all.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})


class ServerAway(Unavailable):
    """No answer. It may be there again soon."""

    code = "server.away"


class ServerRefuses(ServerAway):
    """Nothing was sent: nobody listens there."""

    code = "server.refuses"


class ServerSilent(ServerAway):
    code = "server.silent"


class ServerUnknown(ServerAway):
    """Nothing was sent: the name has no address."""

    code = "server.unknown"


class NoTls(Unavailable):
    code = "server.no-tls"


class NotTrusted(Unavailable):
    code = "server.certificate"


def away(error: OSError | http.client.HTTPException, where: str) -> Unavailable:
    """What to raise for ``error`` of a request to ``where``, HOST or HOST:PORT."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotTrusted(f"{where}: {cause.verify_message}")
    if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
        return NoTls(where)
    if isinstance(cause, socket.gaierror):
        return ServerUnknown(where)
    if isinstance(cause, ConnectionRefusedError):
        return ServerRefuses(where)
    if isinstance(cause, TimeoutError):
        return ServerSilent(f"{where}: timed out")
    if isinstance(cause, (ConnectionResetError, ssl.SSLEOFError, http.client.HTTPException)):
        return ServerAway(f"{where}: it broke the connection off")
    return ServerAway(f"{where}: {_words(cause)}")


def _words(cause: object) -> str:
    """What the operating system calls it, without its number; of OpenSSL the name of the failure, without its place."""
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed, {(cause.reason or 'for no reason given').lower().replace('_', ' ')}"
    return (cause.strerror if isinstance(cause, OSError) else "") or str(cause) or type(cause).__name__
