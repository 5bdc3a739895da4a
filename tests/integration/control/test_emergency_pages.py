# SPDX-License-Identifier: Apache-2.0
"""Break-glass in the console: the button only where it works, everybody sees it, and somebody else signs."""

from __future__ import annotations

from django.utils import timezone

from portineria.control.access.emergency_queries import roles
from portineria.control.access.locks import lock
from portineria.control.access.models import EmergencyReview
from portineria.control.identity.models import Person
from portineria.policy.ending import Locked
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.test_emergency import given, opened
from tests.integration.control.world import World


def test_from_giving_the_role_to_the_signature(linked: World) -> None:
    w = linked
    owner, operator, at = signed_in(w.owner), signed_in(w.operator), f"/machines/{w.machine.public_id}/"
    button = f"{at}emergency/"
    assert button not in shown(operator, at)
    assert operator.post(button, {"reason": "x"}).status_code == 403
    assert "Nobody holds it." in shown(owner, "/emergencies/")
    asked = {"person": w.operator.public_id, "plant": w.plant}
    assert operator.post("/emergencies/give/", asked).status_code == 403
    assert owner.post("/emergencies/give/", asked).headers["Location"] == "/emergencies/"
    owner.post(f"/emergencies/longest/{w.organisation}/", {"minutes": "15"})
    assert button in shown(operator, at)
    before = shown(operator, button)
    assert all(text in before for text in ("15 min", "All that passes is recorded", "can be decoded"))
    assert "Please say what is wrong there." in operator.post(button, {"reason": " "}).content.decode()
    assert operator.post(button, {"reason": "runs <b>away"}).headers["Location"] == at
    after = shown(operator, at)
    assert "You may reach this machine now" in after
    assert button not in after
    sign = f"/emergencies/{EmergencyReview.objects.get().public_id}/sign/"
    for address in ("/", "/approvals/", "/emergencies/"):
        mine, theirs = shown(operator, address), shown(owner, address)
        assert "runs &lt;b&gt;away" in theirs
        assert (sign in theirs, sign in mine, "somebody else signs" in mine) == (True, False, True)
    assert owner.post(sign, {"note": "belt torn"}).headers["Location"] == "/emergencies/"
    assert "Emergencies that somebody has to look at" not in shown(owner, "/")
    assert "belt torn" in shown(owner, "/emergencies/")
    row = EmergencyReview.objects.select_related("grant__request").get()
    assert row.grant is not None
    assert "belt torn" in shown(owner, f"/requests/{row.grant.request.public_id}/")
    [role] = roles(w.owner)
    owner.post(f"/emergencies/roles/{role.public_id}/take/", {"reason": "x"})
    assert not roles(w.owner).exists()


def test_who_is_of_a_supplier_is_said_before_and_a_lock_says_its_words(linked: World) -> None:
    w = linked
    owner, rival = signed_in(w.owner), signed_in(w.rival)
    assert "Rival presses" not in shown(owner, "/emergencies/give/")  # not among those who are offered
    asked = {"person": w.operator.public_id, "guest": w.rival.email, "plant": w.plant}
    assert "one of these" in owner.post("/emergencies/give/", asked).content.decode()
    named = owner.post("/emergencies/give/", {"guest": w.operator.email, "plant": w.plant}).content.decode()
    assert "No supplier&#x27;s person has this address here." in named
    Person.objects.filter(pk=w.rival.pk).update(disabled_at=timezone.now())
    gone = owner.post("/emergencies/give/", asked | {"person": ""}).content.decode()
    assert "No supplier&#x27;s person has this address here." in gone
    Person.objects.filter(pk=w.rival.pk).update(disabled_at=None)
    owner.post("/emergencies/give/", {"person": w.rival.public_id, "plant": w.plant})
    assert rival.get(f"/machines/{w.machine.public_id}/").status_code == 404
    assert owner.post("/emergencies/give/", asked | {"person": ""}).headers["Location"] == "/emergencies/"
    page = shown(rival, f"/machines/{w.machine.public_id}/emergency/")
    assert "192.168.10.5" not in page
    assert "modbus" not in page
    assert rival.get("/emergencies/").status_code == 404
    given(w, w.operator)
    lock(actor=w.owner, organisation=w.organisation, kind=Locked.PLANT, thing=w.plant, reason="arms are moving")
    said = signed_in(w.operator).post(f"/machines/{w.machine.public_id}/emergency/", {"reason": "x"})
    assert "arms are moving" in said.content.decode()
    guest = rival.post(f"/machines/{w.machine.public_id}/emergency/", {"reason": "x"}).content.decode()
    assert "a lock comes before an emergency" in guest
    assert "arms are moving" not in guest
    assert not EmergencyReview.objects.exists()


def test_a_guest_sees_their_own_emergency_and_no_others(linked: World) -> None:
    w = linked
    given(w, w.rival, guest=True)
    given(w, w.operator)
    opened(w, w.operator)
    opened(w, w.rival, "Press 4")
    requests = {row.person_id: row.grant.request.public_id for row in EmergencyReview.objects.all() if row.grant}
    assert "Opened in an emergency" in shown(signed_in(w.rival), f"/requests/{requests[w.rival.pk]}/")
    assert signed_in(w.rival).get(f"/requests/{requests[w.operator.pk]}/").status_code == 404
    sign = EmergencyReview.objects.get(person=w.operator).public_id
    assert signed_in(w.rival).post(f"/emergencies/{sign}/sign/", {"note": "x"}).status_code == 404
