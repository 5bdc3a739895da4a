# SPDX-License-Identifier: Apache-2.0
"""Letters of the control plane: opened, and believed only when the signer of the right role signed them (WIRE 2, 7)."""

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from portineria.core.errors import ProtocolError
from portineria.wire.certificate import BadCertificate, Identity, check_leaf
from portineria.wire.enrolment import Trust
from portineria.wire.envelope import BadSignature, Signed, read_signed, unseal
from portineria.wire.statement import Letter, Order, Time, letter_info, open_letter, role_of

LETTER_BYTES = 128 << 10  # an order of 256 services is about 25 KiB, leases of 1,000 sessions 70 KiB


class WrongLetter(ProtocolError):
    code = "letter.wrong"


class Postbox:
    """``trust`` is asked for every letter: signers may have been added."""

    def __init__(self, trust: Callable[[], Trust], sealing_key: X25519PrivateKey) -> None:
        self._trust, self._key = trust, sealing_key
        self._issuer = x509.load_der_x509_certificate(trust().issuers["signer"])
        self._info = letter_info(trust().gateway)

    def open(self, sealed: bytes, unix_ms: int | None) -> tuple[Letter, bytes]:
        """Return the letter and its exact bytes; raise ProtocolError for one that is not for us or not from them.

        ``unix_ms`` is the trusted time, None before there is one.
        """
        if len(sealed) > LETTER_BYTES:
            raise WrongLetter(f"a letter of {len(sealed)} bytes, allowed {LETTER_BYTES}")
        signed = read_signed(unseal(sealed, self._key, info=self._info))
        signer, key = self.signer(signed)
        letter, exact = open_letter(signed, key)
        # The time is judged by itself: so no letter can set the clock to where its own signer is no longer believed.
        at_ms = letter.unix_ms if isinstance(letter, Time) else unix_ms
        if at_ms is not None and at_ms / 1000 >= signer.not_after.timestamp():
            raise BadSignature(f"the signer {signed.signer} was valid until {signer.not_after:%Y-%m-%d}")
        if letter.gateway != self._trust().gateway:
            raise WrongLetter(f"a letter for {letter.gateway}")
        if isinstance(letter, Order) and letter.organisation != self._trust().organisation:
            raise WrongLetter(f"an order of {letter.organisation}")
        if isinstance(letter, Order) and letter.signer_id != signed.signer:
            raise WrongLetter("an order that names another signer than its own")
        return letter, exact

    def signer(self, signed: Signed) -> tuple[Identity, Ed25519PublicKey]:
        """The certificate and key of the named signer, if it may say this: an acknowledgement key cannot order."""
        certificate = self._trust().signers.get(signed.signer)
        if certificate is None:
            raise BadSignature(f"no signer is called {signed.signer[:40]!r}")
        identity = check_leaf(certificate, kind="signer", issuer=self._issuer)
        role = role_of(signed)
        if role is None or identity.id != f"{role}:{signed.signer}":
            raise BadSignature(f"{identity.id} may not sign {signed.type[:40]!r}")
        if not isinstance(identity.key, Ed25519PublicKey):
            raise BadCertificate("a signer signs with Ed25519")
        return identity, identity.key
