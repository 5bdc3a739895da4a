# SPDX-License-Identifier: Apache-2.0
"""A declared file as the template of one organisation: kept, compared with what is there, applied."""

import hashlib

from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.declaration.document import Faulty, parse_declaration
from portineria.control.declaration.operation import ChangedMeanwhile, Proposal, carry_out, propose
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.template_models import TEMPLATE_BYTES, Template


def template_of(actor: Person, owner: Organisation) -> Template | None:
    """Raise NotFound, Denied."""
    require(actor, owner.pk, administers)
    return Template.objects.filter(organisation=owner).first()


@transaction.atomic
def keep(*, actor: Person, owner: Organisation, content: bytes) -> Template:
    """In place of the one before. Whatever organisation it names, it is for this one. Raise Faulty."""
    require(actor, owner.pk, administers)
    if len(content) > TEMPLATE_BYTES:
        raise Faulty([f"longer than {TEMPLATE_BYTES >> 10} KiB"])
    parse_declaration(content, owner.name)
    kept = {"content": content, "kept_at": timezone.now(), "kept_by": actor}
    row, _ = Template.objects.update_or_create(organisation=owner, defaults=kept)
    record(
        "identity.template.kept", organisation=owner.public_id, actor=actor.public_id,
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    return row


def drift(actor: Person, template: Template) -> Proposal:
    """What differs now. Raise Faulty where it cannot be applied any more."""
    declaration = parse_declaration(bytes(template.content), template.organisation.name)
    return propose(declaration, administrator=actor.email, before_gateways=True, by=actor)


def seal(template: Template, proposal: Proposal) -> str:
    """Of what somebody had before their eyes: this very template, what it changes, the sessions that it ends."""
    ending = sorted(row.public_id for row in proposal.ending)
    said = (hashlib.sha256(bytes(template.content)).hexdigest(), *proposal.added, *proposal.changed, *ending)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def apply_template(*, actor: Person, template: Template, seen: str) -> dict[str, str]:
    """Exactly what was shown: new people by e-mail address, with theirs. Raise Faulty, ChangedMeanwhile."""
    require(actor, template.organisation_id, administers)
    proposal = drift(actor, template)
    if seal(template, proposal) != seen:
        raise ChangedMeanwhile("something else differs by now; look again")
    return carry_out(proposal)
