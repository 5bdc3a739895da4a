# SPDX-License-Identifier: Apache-2.0
"""Function profiles of an organisation, and what rules and grants make of them."""

import hashlib
from collections.abc import Iterable, Sequence

from django.db import transaction

from portineria.control.access.models import FunctionProfile, Grant, Rule
from portineria.control.access.only_services import named_by_both
from portineria.control.audit.services import record
from portineria.control.estate.models import Machine, Service
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.services import BadField, NameTaken, clean_name
from portineria.control.kept_query import KeptRows
from portineria.core.errors import Conflict, NotFound
from portineria.policy.function_profile import BUILT_IN, Clause, Profile, encode_profile
from portineria.policy.proof_level import ProofLevel, decoder_of, proof_level

_NAMED = 5  # services in a message
_MARK = 12  # hex digits
MARK_CHARACTERS = 40  # of a profile's id, and of those beside it


class OpaqueServices(Conflict):
    """``services``: those of which we see metadata only."""

    code = "access.profile.opaque"

    def __init__(self, services: Sequence[Service]) -> None:
        named = [f"{service.device.machine.name}: {service.name} ({service.protocol})" for service in services]
        text = ", ".join(named[:_NAMED]) + (", …" if len(named) > _NAMED else "")
        super().__init__(f"nothing can be decoded of {text}; name only_decoded to leave such services out")
        self.values = {"services": text}


class NothingDecoded(Conflict):
    code = "access.profile.nothing-decoded"

    def __init__(self, machine: Machine) -> None:
        super().__init__(f"no service of {machine.name} can be decoded")
        self.values = {"machine": machine.name}


def profile_named(owner: Organisation, name: str) -> FunctionProfile | None:
    """The newest version; None for no name. One of ours becomes a row when it is first used, or has changed since."""
    if not name:
        return None
    newest = FunctionProfile.objects.filter(organisation=owner, name=name).order_by("-version").first()
    if name in BUILT_IN:
        content = encode_profile(BUILT_IN[name])
        if newest is not None and bytes(newest.content) == content:
            return newest
        return _next(owner, newest, name, content)
    if newest is None:
        raise NotFound(f"function profile {name!r}")
    return newest


def _next(owner: Organisation, newest: FunctionProfile | None, name: str, content: bytes) -> FunctionProfile:
    version = newest.version + 1 if newest else 1
    return FunctionProfile.objects.create(organisation=owner, name=name, version=version, content=content)


@transaction.atomic
def set_profile(
    *, actor: Person, organisation: str, name: str, clauses: Iterable[Clause], notes_only: bool = False,
    hold: Iterable[Clause] = (),
) -> FunctionProfile:  # fmt: skip
    """Make one, or the next version of one: rules that name it name that from now on. The same again changes nothing.

    Raise NameTaken for one of ours, BadProfile for one that is too large.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    name = clean_name(name, "profile", characters=60)
    if name in BUILT_IN:
        raise NameTaken(f"function profile {name!r} is built in")
    profile = Profile(name, tuple(clauses), notes_only, tuple(hold))
    content = encode_profile(profile)
    # Every rule of the organisation that may change is held before its event locks the ledger.
    rules = Rule.objects.holding().filter(organisation=owner, profile__name=name).order_by("pk")
    held = list(rules.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    newest = FunctionProfile.objects.filter(organisation=owner, name=name).order_by("-version").first()
    if newest is not None and bytes(newest.content) == content:
        return newest
    made = _next(owner, newest, name, content)
    Rule.objects.filter(pk__in=held).update(profile=made)
    record(
        "access.profile.set",
        organisation=owner.public_id,
        actor=actor.public_id,
        profile=made.public_id,
        name=name,
        version=made.version,
        clauses=len(profile.clauses),
        hold=len(profile.hold),
        notes_only=notes_only,
        sha256=hashlib.sha256(content).hexdigest(),
        rules=len(held),
    )
    return made


def require_inspectable(machines: Iterable[Machine], *, profile: FunctionProfile | None, only_decoded: bool) -> None:
    """Raise OpaqueServices for a profile over what nobody can decode, NothingDecoded where nothing would be left."""
    if profile is None and not only_decoded:
        return
    named = list(machines)
    found = Service.objects.filter(device__machine__in=named).select_related("device__machine")
    services = list(found.order_by("device__machine__name", "device__name", "port"))
    opaque = [service for service in services if proof_level(service.protocol) is ProofLevel.METADATA]
    if opaque and not only_decoded:
        raise OpaqueServices(opaque)
    decoded = {service.device.machine_id for service in services if service not in opaque}
    for machine in named:
        if machine.pk not in decoded:
            raise NothingDecoded(machine)


def narrower_named(machine: Machine, name: str) -> FunctionProfile | None:
    """What a yes may be narrowed to; None for no name. Any of them is narrower: all that hold have to admit.

    Raise NotFound, BadField for one that refuses nothing, NothingDecoded where it would leave nothing.
    """
    row = profile_named(machine.plant.organisation, name)
    if row is None:
        return None
    if row.profile.notes_only:
        raise BadField("narrower", "a profile that refuses")
    require_inspectable([machine], profile=row, only_decoded=True)
    return row


def profiles_of(grant: Grant) -> list[FunctionProfile]:
    """All that have to admit an operation: that of its approval, its rule's of now when that is another, and the one
    that whoever approved narrowed it to.
    """
    found = {row.pk: row for row in (grant.profile, grant.rule.profile, grant.narrower) if row is not None}
    return list({bytes(row.content): row for row in found.values()}.values())


def mark_of(rule: Rule) -> str:
    """Of what a yes opens under it: the id of its function profile, and a hash of the services that it keeps to. Both
    empty where it has neither. A yes comes with the mark of what was shown: the rule may have changed meanwhile.
    """
    return mark_in(rule.profile.public_id if rule.profile else "", rule.only_services)


def mark_in(profile: str, only_services: str) -> str:
    """As ``mark_of``, of what a query brought."""
    if not only_services:
        return profile
    return f"{profile}~{hashlib.sha256(only_services.encode()).hexdigest()[:_MARK]}"


def holds(grant: Grant) -> bool:
    """Whether somebody has to be asked about an operation."""
    return any(row.profile.hold and not row.profile.notes_only for row in profiles_of(grant))


def services_under(grant: Grant, services: Iterable[Service]) -> list[Service]:
    """Those that a grant opens: what its rule names, without what nobody can decode where a profile has to decide."""
    named = named_by_both(grant, services)
    if not profiles_of(grant) and not grant.rule.only_decoded:
        return named
    return [service for service in named if decoder_of(service.protocol) is not None]


def opened_services(grant: str | None, services: Iterable[Service]) -> list[Service]:
    """Of a machine that somebody may reach now, by this grant: what they may see of it is what it opens."""
    row = _GRANT.first(grant) if grant is not None else None
    return services_under(row, services) if row is not None else []


_GRANT = KeptRows(
    lambda grant: Grant.objects.filter(public_id=grant).select_related("rule__profile", "profile", "narrower")
)
