# SPDX-License-Identifier: Apache-2.0
"""Zones come from the declaration, and the owner reads a machine's on its page."""

from __future__ import annotations

import pytest

from portineria.control.audit.models import Event
from portineria.control.declaration.document import Faulty, parse_declaration
from portineria.control.declaration.operation import carry_out
from portineria.control.estate.models import Line, Zone
from portineria.ledger import leaf
from tests.integration.control.browsing import signed_in
from tests.integration.control.declared import HEAD, PRESS, applied, faults, proposal
from tests.integration.control.world import World

NORTH = '[[plant]]\nname = "North"\ntime_zone = "Europe/Rome"\n'
ZONED = NORTH + 'lines = ["Line 1", "Line 2"]\nzones = [{ name = "Press shop", lines = ["Line 1"] }]\n'


def zones_of_lines() -> dict[str, str | None]:
    return dict(Line.objects.filter(plant__name="North").values_list("name", "zone__name"))


def test_zones_are_made_with_their_lines_and_found_again(world: World) -> None:
    seen = proposal(ZONED)
    assert "zone Press shop of plant North" in seen.added
    assert "line Line 1 of plant North, in zone Press shop" in seen.added
    carry_out(seen)
    assert {"Line 1": "Press shop", "Line 2": None}.items() <= zones_of_lines().items()
    assert proposal(ZONED).empty


def test_a_line_that_is_there_moves_and_one_that_is_not_named_stays(world: World) -> None:
    applied(ZONED)
    other = ZONED.replace('"Press shop", lines = ["Line 1"]', '"Paint shop", lines = ["Line 2", "Line 1"]')
    seen = proposal(other)
    assert seen.changed == (
        "line Line 2 of plant North: zone none → Paint shop",
        "line Line 1 of plant North: zone Press shop → Paint shop",
    )
    assert "zone Press shop of plant North" in seen.untouched
    carry_out(seen)
    applied(NORTH)  # says nothing of zones
    assert {"Line 1": "Paint shop", "Line 2": "Paint shop"}.items() <= zones_of_lines().items()
    assert sorted(Zone.objects.filter(plant__name="North").values_list("name", flat=True)) == [
        "Paint shop",
        "Press shop",
    ]
    noted = [leaf.decode(bytes(row.leaf))["fields"] for row in Event.objects.filter(code="estate.line.changed")]
    assert [(row["name"], row.get("previous_zone", ""), row["zone"]) for row in noted] == [
        ("Line 2", "", "Paint shop"),
        ("Line 1", "Press shop", "Paint shop"),
    ]


def test_a_zone_names_lines_of_its_own_plant_each_once(world: World) -> None:
    strange = NORTH + 'zones = [{ name = "Press shop", lines = ["Line 9"] }]\n'
    assert faults(strange) == ["plant[0].zones[0].lines[0]: plant North has no line Line 9"]
    twice = ZONED.replace('["Line 1"] }', '["Line 1"] }, { name = "Paint shop", lines = ["Line 2", "Line 1"] }')
    with pytest.raises(Faulty) as refused:
        parse_declaration((HEAD + twice).encode())
    assert refused.value.faults == ("plant[0].zones[1].lines[1]: Line 1 stands in a zone already",)
    again = ZONED.replace("] }]", '] }, { name = "Press shop" }]')
    with pytest.raises(Faulty) as refused:
        parse_declaration((HEAD + again).encode())
    assert refused.value.faults == ("plant[0].zones[1].name: Press shop is there already",)


@pytest.mark.parametrize(("language", "head"), [("en", "Zone"), ("it", "Zona"), ("ja", "ゾーン")])
def test_the_owner_reads_the_zone_on_the_machines_page(world: World, language: str, head: str) -> None:
    applied(ZONED + PRESS + 'line = "Line 1"\n')
    address = f"/machines/{world.machine.public_id}/"
    world.owner.language = language
    world.owner.save(update_fields=["language"])
    page = signed_in(world.owner).get(address).content.decode()
    assert f"<dt>{head}</dt><dd>Press shop</dd>" in page
