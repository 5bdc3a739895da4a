# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from portineria.policy.ending import Ending, Reason, ending_of


def test_one_reason_of_security_among_many_cuts() -> None:
    assert ending_of([Reason.EXPIRED, Reason.PERSON_DISABLED]) is Ending.SECURITY


@pytest.mark.parametrize("reason", [Reason.EXPIRED, Reason.REVOKED, Reason.NO_RULE, Reason.NO_GRANT, Reason.NOT_YET])
def test_windows_grants_and_rules_that_end_drain(reason: Reason) -> None:
    assert ending_of([reason]) is Ending.ADMINISTRATIVE
