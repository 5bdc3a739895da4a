# SPDX-License-Identifier: Apache-2.0
"""Three levels of sight. Absent means that nothing tells the machine apart from one that does not exist."""

from enum import StrEnum

from portineria.policy.decision import Decision, Standing


class Sight(StrEnum):
    ABSENT = "absent"
    ASKABLE = "askable"  # name and answering person, nothing else
    REACHABLE = "reachable"


def sight_of(*, standing: Standing, admitted_by_rule: bool, decision: Decision) -> Sight:
    """What a technician sees of one machine. The owner's own people see their plant by role instead."""
    stands = standing.person_enabled and standing.member and standing.supplier_enabled
    if not stands:
        return Sight.ABSENT
    if decision.permitted:
        return Sight.REACHABLE
    return Sight.ASKABLE if admitted_by_rule else Sight.ABSENT
