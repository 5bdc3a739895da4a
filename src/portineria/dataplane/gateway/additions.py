# SPDX-License-Identifier: Apache-2.0
"""What a signed letter may add to what was pinned. Nothing is removed or replaced by letter (WIRE 6)."""

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from portineria.core.errors import Invalid
from portineria.core.ids import Kind, parse_id
from portineria.dataplane.gateway.state import Pinned
from portineria.wire.certificate import BadCertificate, Identity, check_leaf
from portineria.wire.enrolment import Trust
from portineria.wire.report import KNOWN_SIGNERS
from portineria.wire.statement import ROLES, Additions

RELAYS, OPENING_KEYS = 64, 64  # kept at most


def with_additions(pinned: Pinned, letter: Additions, unix_ms: int | None) -> tuple[Pinned, list[str]]:
    """What is new in the letter, added; and the names of what is new. Raise BadCertificate: then nothing is.

    ``unix_ms`` is the trusted time. Without it no signer is added, for its dates cannot be judged.
    """
    trust = pinned.trust
    relays = [relay for relay in letter.relays if relay.relay not in {known.relay for known in trust.relays}]
    keys = [key for key in letter.opening_keys if key.key_id not in {known.key_id for known in trust.opening_keys}]
    signers = {} if unix_ms is None else _new_signers(trust, letter.signers, unix_ms)
    relays, keys = relays[: RELAYS - len(trust.relays)], keys[: OPENING_KEYS - len(trust.opening_keys)]
    signers = dict(list(signers.items())[: KNOWN_SIGNERS - len(trust.signers)])
    added = msgspec.structs.replace(
        trust, relays=[*trust.relays, *relays], opening_keys=[*trust.opening_keys, *keys],
        signers={**trust.signers, **signers},
    )  # fmt: skip
    names = [*(relay.relay for relay in relays), *(key.key_id for key in keys), *signers]
    return msgspec.structs.replace(pinned, trust=added), names


def _new_signers(trust: Trust, certificates: list[bytes], unix_ms: int) -> dict[str, bytes]:
    """Those that are not known, by their names. A known name keeps its certificate, whatever the letter says.

    One of a role that this version does not know could say nothing here: it is left out, and the others are added.
    """
    issuer = x509.load_der_x509_certificate(trust.issuers["signer"])
    keys = {check_leaf(known, kind="signer", issuer=issuer).spki_sha256 for known in trust.signers.values()}
    found: dict[str, bytes] = {}
    for certificate in certificates:
        identity = check_leaf(certificate, kind="signer", issuer=issuer)
        name = _name_of(identity)
        if name is None or name in trust.signers:
            continue
        if not identity.not_before.timestamp() <= unix_ms / 1000 < identity.not_after.timestamp():
            raise BadCertificate(f"the signer {name} is not valid at present")
        if identity.spki_sha256 in keys:
            raise BadCertificate(f"the key of the signer {name} is that of another one")
        keys.add(identity.spki_sha256)
        found[name] = certificate
    return found


def _name_of(identity: Identity) -> str | None:
    role, _, name = identity.id.partition(":")
    if role not in ROLES:
        return None
    if not isinstance(identity.key, Ed25519PublicKey):
        raise BadCertificate(f"no signer of ours is like {identity.id[:40]!r}")
    try:
        return parse_id(name, Kind.SIGNER)
    except Invalid as error:
        raise BadCertificate(f"no signer is called {name[:40]!r}") from error
