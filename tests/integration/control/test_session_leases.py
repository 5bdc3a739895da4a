# SPDX-License-Identifier: Apache-2.0
"""Leases: given for what is permitted at that moment."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.identity import services as identity
from portineria.control.remote_sessions import services
from tests.integration.control.sessions import (
    accepted,
    leased,
    started,
)
from tests.integration.control.world import World


def test_leases_are_given_for_what_policy_permits_at_that_moment_only(linked: World) -> None:
    session = accepted(linked, started(linked))
    assert leased(linked, session) == {session.public_id}
    identity.set_person_enabled(actor=linked.owner, person=linked.technician.public_id, enabled=False, reason="x")
    assert leased(linked, session) == set()  # even before anything was enforced


@pytest.mark.parametrize("how", ["cut", "drain", "revoke", "expire", "unknown"])
def test_no_lease_for_what_is_withdrawn_or_over(linked: World, how: str) -> None:
    session = accepted(linked, started(linked))
    if how == "cut":
        services.cut(actor=linked.owner, session=session.public_id, reason="x")
    elif how == "drain":
        services.drain(actor=linked.owner, session=session.public_id)
    elif how == "revoke":
        access.revoke(actor=linked.owner, grant=session.grant.public_id, reason="x")
    elif how == "expire":
        past = timezone.now() - timedelta(hours=2)
        Grant.objects.update(starts_at=past, ends_at=past + timedelta(hours=1))
    else:
        session.public_id = "ses_aaaaaaaaaaaaaaaa"
    assert leased(linked, session) == set()
