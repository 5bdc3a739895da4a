# SPDX-License-Identifier: Apache-2.0
"""For which supplier somebody works: the one that the rule names, or where it names people or a group, their own."""

from django.db.models import CharField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from portineria.control.identity.models import Membership


def firm_of(rule: str, before: str = "") -> Coalesce:
    """Its name, or nothing. ``rule``: the way to it; ``before``: that to whatever has person and organisation."""
    member = Membership.objects.filter(
        person=OuterRef(f"{before}person"), organisation=OuterRef(f"{before}organisation")
    )
    own = Subquery(member.order_by("pk").values("supplier__name")[:1])
    return Coalesce(f"{rule}__supplier__name", own, Value(""), output_field=CharField())
