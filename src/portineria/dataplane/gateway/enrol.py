# SPDX-License-Identifier: Apache-2.0
"""Enrolment, admission and renewal, seen from the gateway (WIRE 4, 5, 6)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import portineria
from portineria.core.errors import Conflict, Unavailable
from portineria.dataplane.aio.away import ServerAway
from portineria.dataplane.gateway.http import BadAnswer, b64, base_url, post, unb64
from portineria.dataplane.gateway.state import Keys, Pinned, State, check_trust
from portineria.wire.certificate import (
    BadCertificate,
    check_leaf,
    fingerprint,
    load_certificate,
    load_spki,
    spki_sha256,
)
from portineria.wire.enrolment import (
    REQUEST,
    TRUST,
    Trust,
    check,
    gateway_proof,
    introduction_covered,
    server_proof,
    split_code,
)
from portineria.wire.envelope import Signed, read_signed
from portineria.wire.statement import ROLE_OF, Introduction, open_introduction, sha256


class RootChanged(Conflict):
    """Somebody else's server, at first use or later: only `repin` believes another root."""

    code = "gateway.root-changed"


@dataclass(frozen=True, slots=True)
class Admission:
    state: Literal["waiting", "admitted", "refused", "revoked"]
    certificate: bytes | None


def request_trust(
    url: str, code: str, keys: Keys, *, name: str, proxy: str | None, expected: bytes | None = None
) -> Pinned:
    """Ask to be enrolled. What returns was proven by the code's secret, which is never sent.

    ``expected``: the hash of the root's key, when it was told beforehand; raise RootChanged for another one.
    Raises BadCode, Refused (wrong, used or expired code), BadSignature, BadCertificate, BadAnswer, ServerAway.
    """
    lookup, secret = split_code(code)
    request = REQUEST.encode(keys.request(name=name, version=portineria.__version__))
    body = {"lookup": lookup, "request": b64(request), "proof": b64(gateway_proof(secret, request))}
    answer = post(f"{base_url(url)}/api/v1/gateways/enrol", body, proxy=proxy)
    exact = unb64(answer, "trust")
    trust = TRUST.decode(exact)
    root_spki = _root_spki(trust)
    _check_root(root_spki, expected)
    check(server_proof(secret, request, exact, root_spki), unb64(answer, "proof"), "server")
    if answer.get("gateway") != trust.gateway:
        raise BadAnswer("the answer names another gateway than its proof")
    pinned = Pinned(root_spki, trust, base_url(url))
    check_trust(pinned)
    return pinned


def request_trust_by_root(
    url: str, plant: str, root_spki_sha256: bytes, keys: Keys, *, name: str, proxy: str | None
) -> Pinned:
    """Ask to be taken in without a code. What returns was signed under the root of this fingerprint, for these keys.

    Raises RootChanged when the server has another one, Refused, BadSignature, BadCertificate, BadAnswer, ServerAway.
    """
    request = REQUEST.encode(keys.request(name=name, version=portineria.__version__))
    signature = keys.tls.sign(introduction_covered(request, plant, root_spki_sha256), ec.ECDSA(hashes.SHA256()))
    body = {"plant": plant, "request": b64(request), "root": b64(root_spki_sha256), "signature": b64(signature)}
    answer = post(f"{base_url(url)}/api/v1/gateways/introduce", body, proxy=proxy)
    exact = unb64(answer, "trust")
    trust = TRUST.decode(exact)
    _check_root(_root_spki(trust), root_spki_sha256)
    pinned = Pinned(root_spki_sha256, trust, base_url(url))
    check_trust(pinned)
    expected = Introduction(trust.gateway, sha256(request), sha256(exact))
    if _introduction(trust, read_signed(unb64(answer, "introduction"))) != expected:
        raise BadAnswer("the answer is for another gateway than this one")
    return pinned


def _check_root(found: bytes, expected: bytes | None) -> None:
    if expected is not None and found != expected:
        raise RootChanged(
            f"whoever answered has the root {fingerprint(found)}, not the one you gave: it is another server, or "
            "somebody is in between; nothing was changed"
        )


def _introduction(trust: Trust, signed: Signed) -> Introduction:
    """Believed when the pinned root's signer of orders made it: the trust itself says nothing before that."""
    issuer = load_certificate(trust.issuers["signer"])
    signer = check_leaf(trust.signers.get(signed.signer, b""), kind="signer", issuer=issuer)
    if signer.id != f"{ROLE_OF['introduction']}:{signed.signer}" or not isinstance(signer.key, Ed25519PublicKey):
        raise BadCertificate(f"{signer.id[:40]!r} introduces no gateways")
    return open_introduction(signed, signer.key)


def _root_spki(trust: Trust) -> bytes:
    root = load_certificate(trust.root)
    key = root.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadCertificate("the root's key is of a kind we do not use")
    return spki_sha256(load_spki(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))


def enrol(state: State, ask: Callable[[Keys], Pinned]) -> Pinned:
    """Enrol for the first time, or anew at the same installation. The caller holds the lock.

    ``ask`` is one of the two requests above, for given keys.
    """
    if not state.enrolled:
        pinned = ask(state.make_keys())
        state.save_pinned(pinned)
        return pinned
    before = state.load_pinned()
    prepared, pinned = prepare(state, ask)
    if pinned.root_spki_sha256 != before.root_spki_sha256:
        raise RootChanged("this server has another root than the pinned one; nothing was changed")
    prepared.save_pinned(pinned.with_recipients(before.recording_recipients))
    state.replace_with(prepared)
    return pinned


def prepare(state: State, ask: Callable[[Keys], Pinned]) -> tuple[State, Pinned]:
    """A new identity beside the present one, with keys of its own; not in force before ``state.replace_with``."""
    prepared = state.beside()
    pinned = ask(prepared.make_keys())
    prepared.save_pinned(pinned)
    return prepared, pinned


def ask_certificate(state: State, pinned: Pinned, keys: Keys, *, name: str, at_ms: int, proxy: str | None) -> Admission:
    """Has the console admitted us, or: a new certificate for the same key. A certificate that comes is saved.

    ``at_ms`` is the trusted time, 0 while there is none. Raises Refused, ServerAway, BadAnswer, BadCertificate.
    """
    request = REQUEST.encode(keys.request(name=name, version=portineria.__version__))
    gateway = pinned.trust.gateway
    covered = b"portineria-certificate" + sha256(request) + gateway.encode() + at_ms.to_bytes(8, "big")
    body = {
        "gateway": gateway,
        "request": b64(request),
        "at_ms": at_ms,
        "signature": b64(keys.tls.sign(covered, ec.ECDSA(hashes.SHA256()))),
    }
    answer = _post_either((pinned.enrolled_at, pinned.trust.renew_url), body, proxy)
    found = answer.get("state")
    if found not in ("waiting", "admitted", "refused", "revoked"):
        raise BadAnswer("the answer says nothing about admission")
    if found != "admitted":
        return Admission(found, None)
    certificate = unb64(answer, "certificate")
    state.check_certificate(certificate, pinned, keys)
    state.save_certificate(certificate)
    return Admission("admitted", certificate)


def _post_either(urls: tuple[str, ...], body: dict[str, object], proxy: str | None) -> dict[str, object]:
    """The address that worked at enrolment first, then the one the control plane gives out."""
    away: Unavailable | None = None
    for url in dict.fromkeys(urls):
        try:
            return post(f"{base_url(url)}/api/v1/gateways/certificate", body, proxy=proxy)
        except Unavailable as error:  # away, or a proxy on the way does not let us through
            away = error
    raise away or ServerAway("no address to ask for a certificate")


def renewal_due(certificate: bytes, unix_ms: int) -> bool:
    """At two thirds of its life, by the trusted time."""
    leaf = x509.load_der_x509_certificate(certificate)
    begins, ends = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    return unix_ms / 1000 >= begins + (ends - begins) * 2 / 3
