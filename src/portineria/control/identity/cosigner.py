# SPDX-License-Identifier: Apache-2.0
"""This installation as a witness of others' registers: its name and its key, which signs nothing else."""

from functools import cached_property

from django.db import transaction
from django.utils import timezone

from portineria.control.audit import watching
from portineria.control.identity import keys
from portineria.control.identity.models import Installation
from portineria.ledger.note import COSIGNATURE, Signature, VerifierKey, cosign, verifier_key
from portineria.ledger.witness import Answer

ROLE = "witness"


class Cosigner:
    @cached_property
    def installation(self) -> str:
        return Installation.objects.get(pk=1).public_id

    @cached_property
    def _signer(self) -> keys.Signer:
        return keys.signer(ROLE)

    @property
    def key(self) -> VerifierKey:
        """A new signer of the role is another witness: whoever trusts the old one does not know it."""
        return verifier_key(f"portineria/{self.installation}/witness", self._signer.key, COSIGNATURE)

    def cosigned(self, text: str, at: int) -> Signature:
        return cosign(text, self.key.name, self._signer.key, at)


def answer(data: bytes) -> Answer:
    """To an add-checkpoint request; what it cosigns is on the disk."""
    return watching.answer(data, Cosigner(), timezone.now())


@transaction.atomic
def watch(origin: str, key: VerifierKey) -> None:
    """Raise BadNote for a key that signs no registers."""
    watching.watch(origin, key, installation=Cosigner().installation, at=timezone.now())
