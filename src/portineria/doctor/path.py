# SPDX-License-Identifier: Apache-2.0
"""Checks of a way out: name, TCP (through a proxy where there is one), TLS, the other end's clock. Blocks."""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cryptography import x509

from portineria.core.errors import PortineriaError
from portineria.doctor.finding import Finding, fault, ok, warning
from portineria.wire.http_connect import Proxy, answered, request

TIMEOUT_S = 8.0
APART_S, MUCH_APART_S = 10, 120  # beyond two minutes a server refuses a connector's requests
SOON_DAYS = 14
Judge = Callable[[bytes], Iterator[Finding]]  # of the certificate that was shown, DER
_NAME, _EXPIRED, _NOT_YET = 62, 10, 9  # X509_V_ERR_HOSTNAME_MISMATCH, …CERT_HAS_EXPIRED, …NOT_YET_VALID
_ADDRESS = 64  # X509_V_ERR_IP_ADDRESS_MISMATCH


@dataclass(frozen=True, slots=True)
class Way:
    host: str
    port: int
    proxy: Proxy | None = None

    def __str__(self) -> str:
        through = f" through {self.proxy.host}:{self.proxy.port}" if self.proxy else ""
        return f"{self.host}:{self.port}{through}"


class Stopped(Exception):
    """Nothing behind this point can be looked at."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.seen)
        self.finding = finding


def tls(way: Way, judge: Judge, context: ssl.SSLContext | None = None) -> Iterator[Finding]:
    """Name, connection and handshake; then what ``judge`` says of the certificate that was shown."""
    try:
        yield from _looked_up(way)
        with _connected(way) as sock:
            yield ok("reach", f"{way} answers")
            with _wrapped(way, sock, context or unverified()) as layer:
                certificate = layer.getpeercert(binary_form=True)
    except Stopped as stopped:
        yield stopped.finding
        return
    yield from judge(certificate or b"")


def tcp(way: Way) -> Iterator[Finding]:
    try:
        yield from _looked_up(way)
        _connected(way).close()
    except Stopped as stopped:
        yield stopped.finding
    else:
        yield ok("reach", f"{way} answers")


def unverified() -> ssl.SSLContext:
    """To see what is shown, whatever it is; nothing is sent or believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _looked_up(way: Way) -> Iterator[Finding]:
    """The name that this computer has to know: the proxy's where there is one."""
    name = way.proxy.host if way.proxy else way.host
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        unknown = fault(
            "dns", f"{name}: {error.strerror or error}", "This computer does not know where that is.",
            "Correct the name, or the DNS server (resolvectl status); in a plant without DNS write the address.",
        )  # fmt: skip
        raise Stopped(unknown) from error
    addresses = sorted({str(one[4][0]) for one in found})
    if name not in addresses:
        yield ok("dns", f"{name} is {', '.join(addresses)}")


def _connected(way: Way) -> socket.socket:
    near = (way.proxy.host, way.proxy.port) if way.proxy else (way.host, way.port)
    try:
        sock = socket.create_connection(near, TIMEOUT_S)
    except OSError as error:
        raise Stopped(_unreachable(way, error)) from error
    try:
        if way.proxy:
            _through(way, sock, way.proxy)
    except BaseException:
        sock.close()
        raise
    return sock


def _unreachable(way: Way, error: OSError) -> Finding:
    if way.proxy:
        return fault(
            "proxy", f"{way.proxy.host}:{way.proxy.port}: {error.strerror or 'no answer'}", "The proxy is not there.",
            "Correct the proxy in the settings or the surroundings; `proxy = \"none\"` where there is none.",
        )  # fmt: skip
    if isinstance(error, ConnectionRefusedError):
        return fault(
            "reach", f"{way} refuses", "The computer is there; nobody listens on that port.",
            "See that the server runs (`portineria doctor` there), and that the port is right.",
        )  # fmt: skip
    return fault(
        "reach", f"{way}: {error.strerror or 'no answer'}", "A firewall drops it, the way is missing, or it is off.",
        "Have TCP to this address and port opened outwards, or name the proxy that this network demands.",
    )  # fmt: skip


def _through(way: Way, sock: socket.socket, proxy: Proxy) -> None:
    try:
        sock.sendall(request(way.host, way.port, proxy))
        received = b""
        while not answered(received):
            data = sock.recv(4096)
            if not data:
                raise ConnectionError("it closed the connection")
            received += data
    except (OSError, PortineriaError) as error:
        closed = fault(
            "proxy", f"{proxy.host}:{proxy.port}: {error}", "The proxy does not let this through.",
            "Have CONNECT to this address and port allowed there; give name and password where it asks for them.",
        )  # fmt: skip
        raise Stopped(closed) from error


def _wrapped(way: Way, sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(sock, server_hostname=way.host)
    except (ssl.SSLError, OSError) as error:
        raise Stopped(_no_tls(way, error)) from error


def _no_tls(way: Way, error: OSError) -> Finding:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    said = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.strerror or error
    if code in (_NAME, _ADDRESS):
        return fault(
            "certificate.name", f"{way}: the certificate is of another name", "Browsers and connectors refuse it.",
            "Get a certificate with exactly the name in public_url, or write the name that it has.",
        )  # fmt: skip
    if code in (_EXPIRED, _NOT_YET):
        return fault(
            "certificate.time", f"{way}: {said}", "Its time is over, or a clock is wrong.",
            "See the clock on both ends (timedatectl), then renew the certificate.",
        )  # fmt: skip
    if code:
        return fault(
            "certificate.chain", f"{way}: {said}", "Nobody whom this computer trusts has signed it, or somebody in "
            "between opens TLS.",
            "Write the whole chain into console_certificate; for an authority of your own: `portineria login --ca`.",
        )  # fmt: skip
    return fault(
        "tls", f"{way}: {said}", "Whoever answers does not speak TLS, or something in between ended it.",
        "See that it is the right port, and that no filter looks into the connection.",
    )  # fmt: skip


def verified(way: Way, ca: str = "") -> Iterator[Finding]:
    """As a browser does it; the roots of this computer, and ``ca`` besides."""
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(ca)
    yield from tls(way, lambda der: lifetime(way.host, der), context)


def lifetime(what: str, der: bytes, now: datetime | None = None) -> Iterator[Finding]:
    """How long a certificate is still good."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError as error:
        yield fault("certificate", f"{what}: {error}", "It is no certificate.", "Make or order it anew.")
        return
    now = now or datetime.now(UTC)
    days = (certificate.not_valid_after_utc - now).total_seconds() / 86400
    seen = f"{what}: valid until {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc or days < 0:
        yield fault(
            "certificate.time", seen, "Its time is over, or this computer's clock is wrong.",
            "See the clock (timedatectl), then renew the certificate.", round(days, 1),
        )  # fmt: skip
    elif days < SOON_DAYS:
        yield warning(
            "certificate.time", seen, "It ends soon, and nobody comes in afterwards.",
            "Renew it now, and see why it was not renewed by itself.", round(days, 1),
        )  # fmt: skip
    else:
        yield ok("certificate.time", seen, round(days, 1))


def clock(way: Way, *, secure: bool) -> Iterator[Finding]:
    """This computer's clock beside the other end's, as its HTTP answer says it."""
    with suppress(OSError, http.client.HTTPException, Stopped):
        with _connected(way) as sock, _layered(way, sock, secure=secure) as layer:
            layer.sendall(f"HEAD / HTTP/1.1\r\nHost: {way.host}\r\nConnection: close\r\n\r\n".encode())
            with http.client.HTTPResponse(layer, method="HEAD") as answer:
                answer.begin()
                said = answer.getheader("Date")
        if said:
            yield apart(parsedate_to_datetime(said), datetime.now(UTC), f"that of {way.host}")


def _layered(way: Way, sock: socket.socket, *, secure: bool) -> socket.socket:
    return unverified().wrap_socket(sock, server_hostname=way.host) if secure else sock


def apart(theirs: datetime, ours: datetime, whose: str) -> Finding:
    seconds = round((ours - theirs).total_seconds())
    how = "ahead of" if seconds > 0 else "behind"
    seen = f"this clock is {abs(seconds)} s {how} {whose}"
    means = "Certificates, permissions and signed requests count by the clock."
    remedy = (
        "Set time and time zone: timedatectl set-ntp true, or `systemctl status chrony`; then see which end is wrong."
    )
    if abs(seconds) >= MUCH_APART_S:
        return fault("clock", seen, means, remedy, seconds)
    return warning("clock", seen, means, remedy, seconds) if abs(seconds) >= APART_S else ok("clock", seen, seconds)
