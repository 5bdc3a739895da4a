# SPDX-License-Identifier: Apache-2.0
"""Who may say yes or no to a request: the roles of its organisation that approve, and never whoever asked."""

from datetime import datetime

from portineria.control.access.models import AccessRequest, Approval
from portineria.control.identity.models import Membership, Role

APPROVING = [role.value for role in Role if role.approves]


def deciders(request: AccessRequest, at: datetime) -> list[int]:
    """People who have not answered yet, in the order in which they came to the organisation."""
    rows = Membership.objects.filter(
        organisation=request.organisation_id, role__in=APPROVING, person__disabled_at__isnull=True
    )
    answered = Approval.objects.filter(request=request).values("decided_by")
    found = rows.exclude(person=request.person_id).exclude(person__in=answered)
    return list(found.order_by("pk").values_list("person", flat=True))
