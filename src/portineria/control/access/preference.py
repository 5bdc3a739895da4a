# SPDX-License-Identifier: Apache-2.0
"""By which rule somebody asks whom several admit."""

from collections.abc import Callable
from datetime import datetime

from portineria.control.access.models import Rule
from portineria.policy.supplier_standing import Firm


def preference(firm: Firm | None, at: datetime) -> Callable[[Rule], tuple[bool, bool, int, int]]:
    """The greatest comes first: one for which the standing of their supplier is enough; of these one that needs no
    approval; then the one that allows most.
    """
    return lambda rule: (not rule.falls_short(firm, at), not rule.needs_approval, rule.max_minutes, rule.pk)
