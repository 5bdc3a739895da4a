# SPDX-License-Identifier: Apache-2.0
"""What a request's page says of the standing that its rule asks for: to the owner's people all, to others whether."""

from dataclasses import dataclass
from datetime import datetime

from portineria.control.access.firm import firm_under
from portineria.control.access.models import AccessRequest
from portineria.control.identity.models import Supplier
from portineria.policy.supplier_standing import Firm


@dataclass(frozen=True, slots=True)
class RequestStanding:
    """``judged``: false for the organisation's own people. ``supplier``: for staff, who see how it was assessed."""

    level: str
    judged: bool
    short: bool
    supplier: Supplier | None


def of_request(row: AccessRequest, firm: Firm | None, at: datetime, *, staff: bool) -> RequestStanding | None:
    if not row.rule.least_standing:
        return None
    supplier = None
    if staff and firm is not None:
        supplier = firm_under(row.rule, row.person.answered_by or row.person, row.organisation_id)
    return RequestStanding(row.rule.least_standing, firm is not None, row.rule.falls_short(firm, at), supplier)
