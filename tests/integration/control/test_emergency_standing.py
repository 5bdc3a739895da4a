# SPDX-License-Identifier: Apache-2.0
"""An emergency waits for nobody's assessment of a supplier, and is seen with it by all who are told."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access.models import EmergencyReview
from portineria.control.audit.models import Event
from portineria.control.audit.queries import views
from portineria.control.remote_sessions.services import enforce
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser, items
from tests.integration.control.sessions import accepted, again
from tests.integration.control.test_emergency import given, opened, told, working
from tests.integration.control.test_supplier_standing import asked, assessed, over
from tests.integration.control.world import World

SHORT, NONE = "A rule asks B or better of them here", "no standing that counted when it was opened"
FIELDS = ("supplier", "level", "least_standing")


@pytest.mark.sqlite
def test_it_opens_all_the_same_and_everybody_told_sees_what_was_missing(linked: World) -> None:
    w = linked
    given(w, w.technician, guest=True)
    asked(w, "B")
    assessed(w, "C", 0)
    opened(w, w.technician)
    session = accepted(w, working(w, w.technician))
    assert enforce(timezone.now()) == 0  # and it stays open
    assert again(session).state == "live"
    fields = told(w)["access.emergency.opened"]
    assert tuple(fields[name] for name in FIELDS) == (w.supplier, "C", "B")
    review = EmergencyReview.objects.get()
    request = f"/requests/{session.grant.request.public_id}/"
    for who in (w.owner, w.approver, w.operator):
        browser = signed_in(who)
        for at in ("/", "/emergencies/", "/approvals/", request):
            page = shown(browser, at)
            assert SHORT in page, (who, at)
            assert "standing C when it was opened" in page, (who, at)
    assert SHORT in shown(signed_in(w.approver), f"/emergencies/{review.public_id}/sign/")
    [row] = items(Browser(w.approver).get("/emergencies"))
    assert (row["supplier"], row["standing"], row["least_standing"]) == (w.supplier, "C", "B")
    # What is entered afterwards does not change what it was then.
    assessed(w, "A")
    assert SHORT in shown(signed_in(w.approver), "/emergencies/")
    # The supplier's own people do not learn how it is judged.
    guest = signed_in(w.technician)
    for at in ("/emergencies/", request, f"/emergencies/{review.public_id}/sign/"):
        assert "when it was opened" not in guest.get(at).content.decode()
    [row] = items(Browser(w.technician).get("/emergencies"))
    assert row["supplier"] is row["standing"] is row["least_standing"] is None


@pytest.mark.sqlite
def test_no_standing_is_said_and_the_owner_s_own_people_have_none(linked: World) -> None:
    w = linked
    given(w, w.technician, guest=True)
    given(w, w.operator)
    assessed(w, "A")
    over(w)
    opened(w, w.technician)  # no rule asks anything of them here: nothing is missing
    page = shown(signed_in(w.owner), "/emergencies/")
    assert (NONE in page, SHORT in page) == (True, False)
    assert told(w)["access.emergency.opened"]["level"] == "none"
    EmergencyReview.objects.all().delete()
    opened(w, w.operator)
    newest = Event.objects.filter(code="access.emergency.opened").order_by("-pk")[0]
    assert not set(FIELDS) & views([newest])[0].fields.keys()
    assert "when it was opened" not in shown(signed_in(w.owner), "/emergencies/")
    for wrong in ({"standing": "A"}, {"least_standing": "E"}):
        with transaction.atomic(), pytest.raises(IntegrityError):
            EmergencyReview.objects.update(**wrong)
