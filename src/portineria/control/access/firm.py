# SPDX-License-Identifier: Apache-2.0
"""For which supplier somebody works: the one that the rule names, or where it names people or a group, their own.

Asked in queries of its own within the row: a join would stay in a list's query also where only its keys are counted.
"""

from datetime import datetime
from typing import Any

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from portineria.control.access.models import Grant, Rule
from portineria.control.identity.models import Membership, Person, Supplier
from portineria.policy.supplier_standing import Level


def firm_by_rule() -> Coalesce:
    """Its name, or nothing, of whatever has a rule, a person and an organisation."""
    return _firm(Rule.objects.filter(pk=OuterRef("rule")).values("supplier__name"), "")


def firm_by_grant(before: str = "") -> Coalesce:
    """Likewise; ``before``: the way to what has a grant, a person and an organisation."""
    return _firm(Grant.objects.filter(pk=OuterRef(f"{before}grant")).values("rule__supplier__name"), before)


def firm_under(rule: Rule, person: Person, organisation: int) -> Supplier | None:
    """As above, of one. ``rule`` comes with ``supplier`` loaded."""
    if rule.supplier is not None:
        return rule.supplier
    return Supplier.objects.filter(memberships__person=person, memberships__organisation=organisation).first()


def standing_at(supplier: Supplier, at: datetime) -> str:
    """The letter that counts then; empty: it was never assessed, or that is over."""
    firm = supplier.firm
    return firm.level.value if firm.level is not None and firm.stands(Level.D, at) else ""


def works_for(supplier: int | None) -> Q:
    """Of whatever has a rule, a person and an organisation: it is this supplier that they work for."""
    theirs = Membership.objects.filter(
        person=OuterRef("person"), organisation=OuterRef("organisation"), supplier=supplier
    )
    return Q(rule__supplier=supplier) | (Q(rule__supplier__isnull=True) & Q(Exists(theirs)))


def _firm(by_rule: QuerySet[Any, Any], before: str) -> Coalesce:
    member = Membership.objects.filter(
        person=OuterRef(f"{before}person"), organisation=OuterRef(f"{before}organisation")
    )
    own = Subquery(member.order_by("pk").values("supplier__name")[:1])
    return Coalesce(Subquery(by_rule.order_by()), own, Value(""), output_field=CharField())
