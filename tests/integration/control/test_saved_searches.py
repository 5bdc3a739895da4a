# SPDX-License-Identifier: Apache-2.0
"""Searches of the register that people keep and share: they open what their reader may see, and nothing else."""

from __future__ import annotations

import pytest

from portineria.control.audit.models import Event
from portineria.control.identity import saved_searches
from portineria.control.identity.models import SavedSearch
from portineria.control.identity.saved_models import QUERY_CHARACTERS
from portineria.core.errors import Invalid
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World, fresh

SOUGHT = "text=belt&code=access."


def form(world: World, name: str = "Belt changes", **more: str) -> dict[str, str]:
    return {"name": name, "organisation": world.organisation, **more}


def test_a_search_is_kept_shared_opened_with_one_click_and_removed(world: World) -> None:
    world.request()
    owner, operator = signed_in(world.owner), signed_in(world.operator)
    assert "Save this search" not in shown(owner, "/events/")
    assert "Save this search" in shown(owner, f"/events/?{SOUGHT}")
    answer = owner.post(f"/events/saved/add/?{SOUGHT}&older=org_x.1&next=//evil.example", form(world), follow=True)
    assert "Belt changes" in answer.content.decode()
    row = SavedSearch.objects.get()
    assert row.query == SOUGHT
    opened = owner.get(f"/events/saved/{row.public_id}/")
    assert opened.headers["Location"] == f"/events/?{SOUGHT}"
    assert operator.get(f"/events/saved/{row.public_id}/").status_code == 404
    assert "Belt changes" not in shown(operator, "/events/")
    owner.post(f"/events/saved/add/?{SOUGHT}", form(world, "<b>For all", shared="on"))
    shared = SavedSearch.objects.get(shared=True)
    page = shown(operator, "/events/")
    assert "&lt;b&gt;For all" in page
    assert "shared by Owner" in page
    assert operator.get(f"/events/saved/{shared.public_id}/").status_code == 302
    assert operator.post(f"/events/saved/{shared.public_id}/remove/").status_code == 403
    for client in (signed_in(world.technician), signed_in(world.stranger)):
        assert client.get(f"/events/saved/{shared.public_id}/").status_code == 404
        assert client.post(f"/events/saved/{shared.public_id}/remove/").status_code == 404
    operator.post(f"/events/saved/add/?{SOUGHT}", form(world, "Mine", shared="on"))
    mine = SavedSearch.objects.get(name="Mine")
    assert owner.post(f"/events/saved/{mine.public_id}/remove/").status_code == 302  # administers
    assert not SavedSearch.objects.filter(pk=mine.pk).exists()
    told = Event.objects.filter(organisation=world.organisation, code__startswith="audit.search.").order_by("seq")
    assert [event.code.rpartition(".")[2] for event in told] == ["saved", "saved", "saved", "removed"]


@pytest.mark.sqlite
def test_what_is_no_search_of_one_s_own_register_is_not_kept(world: World) -> None:
    owner = signed_in(world.owner)
    for query, given in [
        ("", form(world)), ("since=never", form(world)), ("older=x", form(world)), (SOUGHT, form(world, "")),
        (SOUGHT, form(world, "x" * 61)), ("text=" + "x" * 300, form(world)),
    ]:  # fmt: skip
        assert owner.post(f"/events/saved/add/?{query}", given).status_code == 302
    for who in (world.stranger, world.technician):
        assert signed_in(who).post(f"/events/saved/add/?{SOUGHT}", form(world)).status_code == 404
    assert not SavedSearch.objects.exists()
    owner.post(f"/events/saved/add/?{SOUGHT}", form(world))
    owner.post(f"/events/saved/add/?{SOUGHT}", form(world))  # the name is taken
    assert SavedSearch.objects.count() == 1
    row = SavedSearch.objects.get()
    SavedSearch.objects.bulk_create(
        SavedSearch(person=world.owner, organisation=row.organisation, name=f"{number}", query="text=x")
        for number in range(saved_searches.MOST - 1)
    )
    owner.post(f"/events/saved/add/?{SOUGHT}", form(world, "One more"))
    assert SavedSearch.objects.count() == saved_searches.MOST
    with pytest.raises(Invalid):
        saved_searches.save_search(
            actor=fresh(world.owner), organisation=world.organisation, name="x", query="x" * (QUERY_CHARACTERS + 1),
            shared=False,
        )  # fmt: skip
