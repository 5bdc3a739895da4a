# SPDX-License-Identifier: Apache-2.0
"""What was restored, proven; and made safe: it remembers nothing of what was revoked after the backup."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib.sessions.models import Session as BrowserSession
from django.db import connections, transaction
from django.db.models import F
from django.utils import timezone

from portineria import __version__
from portineria.backup.manifest import Manifest
from portineria.control import tables
from portineria.control.access import locks
from portineria.control.administration import Verified, verify_ledger
from portineria.control.audit.models import Checkpoint, Event, Head
from portineria.control.audit.services import record
from portineria.control.backing_up import master_key_check
from portineria.control.estate.introduction import root_sha256
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import AuthorisationCode, ConnectorToken, Installation, Organisation
from portineria.control.settings.master_key import NoMasterKey
from portineria.core.errors import Denied
from portineria.ledger.checkpoint import Checkpoint as Known
from portineria.ledger.checkpoint import origin_of
from portineria.ledger.merkle import Frontier
from portineria.policy.ending import Locked

_LISTS_SINCE = 1 << 20  # more than were ever made between a backup and its restore


class OtherInstallation(Denied):
    """The backup is whole, and of somebody else."""

    code = "restore.root"


class OtherMasterKey(Denied):
    code = "restore.master-key"


@dataclass
class Proof:
    """``faults``: why this is not what was backed up. ``lost``: what others know of a register and it does not."""

    root: bytes
    registers: list[Verified]
    faults: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self.faults


def prove(manifest: Manifest, root: bytes | None, known: Sequence[Known]) -> Proof:
    """Raise OtherInstallation, OtherMasterKey, DatabaseNewer. Nothing may write meanwhile."""
    tables.bring_up_to_date()
    _check_master_key(manifest)
    own = root_sha256()
    if root is not None and own != root:
        raise OtherInstallation(f"the root of this backup is {own.hex()}, and another one was expected")
    proof = Proof(own, list(verify_ledger()))
    proof.faults += [f"{found.name}: {found.fault}" for found in proof.registers if found.fault]
    for said in manifest.checkpoints:
        if not Checkpoint.objects.filter(organisation=said.organisation, size=said.size, note=said.note).exists():
            proof.faults.append(f"{said.organisation}: the checkpoint of {said.size} events is not in the database")
    for one in known:
        _compare(one, proof)
    return proof


def _check_master_key(manifest: Manifest) -> None:
    where = "it was not in the backup: put it into PORTINERIA_MASTER_KEY"
    try:
        if master_key_check() == manifest.master_key_check:
            return
    except NoMasterKey as error:
        raise OtherMasterKey(f"there is no master key, and {where}") from error
    inside = "" if manifest.master_key_inside else f"; {where}"
    raise OtherMasterKey(f"the master key is not the one of this backup{inside}")


def _compare(known: Known, proof: Proof) -> None:
    installation = Installation.objects.get(pk=1).public_id
    organisations = [installation, *Organisation.objects.order_by("pk").values_list("public_id", flat=True)]
    found = [one for one in organisations if origin_of(installation, one) == known.origin]
    if not found:
        proof.faults.append(f"{known.origin} is no register of this backup")
        return
    have = Head.objects.filter(organisation=found[0]).values_list("seq", flat=True).first() or 0
    if have < known.size:
        proof.lost.append(f"{known.origin}: events {have + 1} to {known.size}")
        return
    frontier = Frontier()
    leaves = Event.objects.filter(organisation=found[0], seq__lte=known.size).order_by("seq")
    for digest in leaves.values_list("leaf_sha256", flat=True).iterator(chunk_size=1000):
        frontier.append(bytes(digest))
    if frontier.root() != known.root:
        proof.faults.append(f"{known.origin}: the first {known.size} events are not those of the checkpoint given")


def make_safe(manifest: Manifest) -> list[str]:
    """Lock everything, end every sign-in, say it in the registers. Return the locks.

    What was revoked, who was locked out and which links were used after the backup, nobody here knows any more.
    """
    reason = f"Restored from the backup of {manifest.made_at}: look through what was revoked since, then unlock"
    with transaction.atomic():
        record(
            "identity.installation.restored", organisation=manifest.installation, actor=Operator().public_id,
            version=__version__, made_at=manifest.made_at,
        )  # fmt: skip
        # Relays that went on running take no list of gateways that is older than theirs.
        Installation.objects.filter(pk=1).update(admitted_number=F("admitted_number") + _LISTS_SINCE)
        BrowserSession.objects.all().delete()
        AuthorisationCode.objects.all().delete()
        ConnectorToken.objects.filter(revoked_at=None).update(revoked_at=timezone.now())
    made = []
    for organisation in Organisation.objects.order_by("pk").values_list("public_id", flat=True):
        try:
            row = locks.lock(actor=Operator(), organisation=organisation, kind=Locked.EVERYTHING, reason=reason)
        except locks.LockedAlready:
            continue
        made.append(row.public_id)
    connections.close_all()
    return made
