# SPDX-License-Identifier: Apache-2.0
"""The key that a connector makes for one session: what it must be, and which session has it."""

from cryptography.hazmat.primitives.asymmetric import ec

from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.control.kept_query import KeptRows
from portineria.control.remote_sessions.models import Session, SessionState
from portineria.core.errors import Conflict
from portineria.wire.certificate import BadCertificate, load_spki, spki_sha256


class KeyUsed(Conflict):
    code = "session.key-used"


def key_sha256(key: bytes) -> bytes:
    """Of a P-256 key (DER SubjectPublicKeyInfo); raise BadField."""
    try:
        loaded = load_spki(key)
    except BadCertificate as error:
        raise BadField("key", str(error)) from error
    if not isinstance(loaded, ec.EllipticCurvePublicKey):
        raise BadField("key", "a P-256 key")
    return spki_sha256(loaded)


_BEGUN = KeptRows(
    lambda key_sha256: Session.objects.select_related("machine", "gateway", "person").filter(key_sha256=key_sha256)
)


def begun_with(key_sha256: bytes, actor: Person, machine: Machine) -> Session | None:
    """The session that has this key; raise KeyUsed when it is another's, another machine's, or no longer to be used."""
    session = _BEGUN.first(key_sha256)
    if session is None:
        return None
    same = session.person_id == actor.pk and session.machine_id == machine.pk and session.gateway == machine.gateway
    if not same or session.state not in (SessionState.OPENING, SessionState.LIVE):
        raise KeyUsed("every session has a key of its own")
    return session
