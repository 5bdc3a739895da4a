# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 contexts of our five kinds of ends, and one TLS layer without a socket.

Why a layer of our own over ``ssl.MemoryBIO`` instead of asyncio's: the outer layer must be *taken off* again without
closing the connection (WIRE 12), layers must stack (nested mode) and the same code must run on every event loop.

No context looks at the wall clock: a gateway may believe it is 1970 (WIRE 10). Validity is judged by the signed time.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.errors import ProtocolError
from portineria.wire.certificate import BadCertificate, Identity, check_leaf, load_certificate
from portineria.wire.leg import END_TO_END_ALPN, LEG_ALPN, LINK_ALPN

HANDSHAKE_S = 5.0
_RECORD = 16384
_MUCH = 4 * _RECORD
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h; the ssl module has no name for it


Pieces = list[bytes | memoryview]  # of plaintext, in order


class BadTls(ProtocolError):
    code = "tls"


class Truncated(ConnectionError):
    """The connection ended without the TLS goodbye: somebody may have cut it short."""


def _context(purpose: int, alpn: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(purpose)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(alpn)
    return context


def relay_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The relay's outer end. Clients prove themselves inside; it issues no session tickets."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, [LINK_ALPN, LEG_ALPN])
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    return context


def outer_context(alpn: str) -> ssl.SSLContext:
    """A gateway's or connector's outer end. Whom it reached is checked by ``reached_relay`` after the handshake."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, [alpn])


def inner_context(*, server_side: bool, chain: Path, key: Path, issuer: x509.Certificate) -> ssl.SSLContext:
    """An end of the end-to-end session. Trusts exactly one issuer, not the root above it (WIRE 1)."""
    purpose = ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT
    context = _context(purpose, [END_TO_END_ALPN])
    if server_side:
        context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    context.load_verify_locations(cadata=issuer.public_bytes(Encoding.PEM).decode())
    context.load_cert_chain(chain, key)
    return context


class TlsLayer:
    """One TLS session: ciphertext in and out by bytes, no socket."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, name: str = "") -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=name or None
        )
        self.peer_closed = False

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is finished."""
        return self._step(self._object.do_handshake)

    def unwrap(self) -> bool:
        """Say goodbye and wait for the other's; return whether both are done. ``take_rest`` is then what followed."""
        return self._step(self._object.unwrap)

    def _step(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise BadTls(str(error.reason or error)) from error
        return True

    def feed(self, ciphertext: bytes | memoryview) -> None:
        self._incoming.write(ciphertext)

    def read(self) -> Pieces:
        """All plaintext that is there; notes the other side's goodbye.

        Little comes as a piece per record, much as one piece: whoever passes it on needs one call instead of many.
        """
        pieces: Pieces = []
        try:
            if self._incoming.pending >= _MUCH:
                self._read_much(pieces)
            while not self.peer_closed:
                piece = self._object.read(_RECORD)
                self.peer_closed = not piece
                if piece:
                    pieces.append(piece)
                    if not self._incoming.pending:
                        break  # as the next read would say, at the price of an exception for each small answer
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.peer_closed = True
        except ssl.SSLError as error:
            raise BadTls(str(error.reason or error)) from error
        return pieces

    def _read_much(self, pieces: Pieces) -> None:
        """Into one block; whatever ends the reading is met again by the next read."""
        block = memoryview(bytearray(self._incoming.pending + _RECORD))  # and the rest of a record begun before
        filled = 0
        try:
            while filled < len(block) and (count := cast(int, self._object.read(_RECORD, block[filled:]))):
                filled += count
        finally:
            pieces.append(block[:filled])

    def write(self, plaintext: bytes | bytearray | memoryview) -> None:
        try:
            self._object.write(plaintext)
        except ssl.SSLError as error:
            raise BadTls(str(error.reason or error)) from error

    def take_outgoing(self) -> bytes:
        return self._outgoing.read()

    def take_rest(self) -> bytes:
        """Ciphertext that was fed and not used: after ``unwrap`` it belongs to whatever comes next."""
        return self._incoming.read()

    def peer_certificate(self) -> bytes:
        certificate = self._object.getpeercert(binary_form=True)
        if certificate is None:
            raise BadCertificate("the other side showed no certificate")
        return certificate

    def require_alpn(self, alpn: str) -> None:
        chosen = self._object.selected_alpn_protocol()
        if chosen != alpn:  # neither OpenSSL nor Python refuses a peer that offers none
            raise BadTls(f"protocol {chosen!r}, expected {alpn!r}")

    @property
    def alpn(self) -> str | None:
        return self._object.selected_alpn_protocol()


def reached_relay(certificate: bytes, *, issuer: x509.Certificate) -> Identity | str:
    """Who holds the other end of the outer layer: a relay of ours, or the subject of whoever opened the path."""
    try:
        return check_leaf(certificate, kind="relay", issuer=issuer)
    except BadCertificate:
        return _subject(certificate)


def _subject(certificate: bytes) -> str:
    try:
        return load_certificate(certificate).subject.rfc4514_string()[:200]
    except (BadCertificate, ValueError):  # OpenSSL bears more than our parser does
        return "an unreadable certificate"
