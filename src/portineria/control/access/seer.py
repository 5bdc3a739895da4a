# SPDX-License-Identifier: Apache-2.0
"""What it depends on which machines a person sees: keys alone, so that the questions can be asked by kept texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person


@dataclass(frozen=True, slots=True)
class Seer:
    """``staff``: of any organisation. ``owned``: organisations whose whole estate they see."""

    pk: int
    staff: bool = False
    owned: Sequence[int] = ()
    guest_of: Sequence[int] = ()
    member_of: Sequence[int] = ()
    supplier_ids: Sequence[int] = ()

    @classmethod
    def of(cls, person: Person) -> "Seer":
        return cls(
            person.pk, bool(person.staff_of), person.sees(Power.ESTATE), person.guest_of, person.member_of,
            person.supplier_ids,
        )  # fmt: skip
