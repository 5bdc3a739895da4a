# SPDX-License-Identifier: Apache-2.0
"""A declaration from nothing: the example of the handbook, and the command that applies it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from portineria.control.access.models import Rule
from portineria.control.declaration.document import Faulty, read_declaration
from portineria.control.declaration.operation import carry_out, propose
from portineria.control.estate.models import Plant, Service
from portineria.control.identity import first_run
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person
from tests.integration.control.commands import run
from tests.integration.control.world import World, admitted_gateway

EXAMPLE = Path(__file__).resolve().parents[3] / "docs/howto/example-plant.toml"


def test_the_example_is_applied_before_and_after_its_gateway_is_enrolled(world: World) -> None:
    first_run.create_owner(actor=Operator(), organisation="Example Presses", name="Owner", email="first@example.com")
    example = read_declaration(EXAMPLE)
    with pytest.raises(Faulty, match="--before-gateways"):
        propose(example)
    early = propose(example, before_gateways=True)
    assert early.waiting == (
        "machine North/Press 3 waits for gateway cabinet 4",
        "rule for Drive Works: North/Press 3 waits for its machines",
    )
    assert list(carry_out(early)) == ["shift-leader@example.com"]  # the technician has an account already
    plant = Plant.objects.get(organisation__name="Example Presses")
    admitted_gateway(Person.objects.get(email="first@example.com"), plant.public_id)
    assert carry_out(propose(example)) == {}
    assert Service.objects.filter(device__machine__plant=plant).count() == 3
    assert Rule.objects.filter(organisation=plant.organisation).count() == 1
    assert propose(example).empty


@pytest.mark.sqlite  # commands with a database of their own
def test_the_command_shows_applies_and_says_what_is_wrong(tmp_path: Path) -> None:
    state, wrong = tmp_path / "state", tmp_path / "wrong.toml"
    words = ("apply", str(EXAMPLE), "--before-gateways")
    absent = run(state, *words)
    assert absent.returncode == 3
    assert not state.exists()
    name = tomllib.loads(EXAMPLE.read_text())["organisation"]["name"]
    owner = ("--organisation", name, "--name", "Owner", "--email", "owner@example.com")
    assert run(state, "setup", *owner).returncode == 0

    asked = run(state, *words)
    assert (asked.returncode, "plant North, Europe/Rome" in asked.stdout) == (2, True)
    done = run(state, *words, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("http://localhost:8443/accounts/password/reset/key/") == 2
    again = run(state, *words)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "Nothing to change.")
    drift = run(state, *words, "--drift", "--for", name)
    assert (drift.returncode, drift.stdout.splitlines()[0]) == (1, "Not yet here:")
    invited = run(state, "invite", "technician@example.com")
    assert (invited.returncode, "/accounts/password/reset/key/" in invited.stdout) == (0, True)
    unknown = run(state, "invite", "nobody@example.com")
    assert (unknown.returncode, "nobody@example.com" in unknown.stderr) == (1, True)

    wrong.write_text(EXAMPLE.read_text().replace("192.168.10.12", "panel.local"))
    refused = run(state, "apply", str(wrong), "--yes")
    assert refused.returncode == 2
    assert "wrong.toml: machine[0].device[1].address: an IPv4 or IPv6 address" in refused.stderr
