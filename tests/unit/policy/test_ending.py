# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from portineria.policy.ending import Ending, Reason, ending_of


def test_one_reason_of_security_among_many_cuts() -> None:
    assert ending_of([Reason.EXPIRED, Reason.PERSON_DISABLED]) is Ending.SECURITY


CUT = {
    Reason.PERSON_DISABLED, Reason.NO_MEMBERSHIP, Reason.SUPPLIER_DISABLED, Reason.SECOND_FACTOR,
    Reason.GATEWAY_NOT_ADMITTED, Reason.REVOKED_FOR_SECURITY, Reason.OTHER_MACHINE, Reason.NO_EMERGENCY_ROLE,
    Reason.NO_GROUP, Reason.NOBODY_ANSWERS, Reason.DEVICE_REVOKED, Reason.LOCKED_PERSON, Reason.LOCKED_SUPPLIER,
    Reason.LOCKED_MACHINE, Reason.LOCKED_LINE, Reason.LOCKED_ZONE, Reason.LOCKED_PLANT, Reason.LOCKED_GATEWAY,
    Reason.LOCKED_EVERYTHING,
}  # fmt: skip


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_cuts_or_drains(reason: Reason) -> None:
    assert ending_of([reason]) is (Ending.SECURITY if reason in CUT else Ending.ADMINISTRATIVE)
