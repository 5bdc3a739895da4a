# SPDX-License-Identifier: Apache-2.0
"""What --exec fills in. The doors are real listeners that nobody connects to."""

from collections.abc import Iterator

import pytest

from portineria.cli.connect import BadCommand, fill
from portineria.dataplane.connector.door import Door, Service, open_doors

MODBUS = Service("srv_1", "Controller", "modbus", 15031, "controller")
PANEL = Service("srv_2", "Panel", "http", 15032, "panel")


@pytest.fixture
def doors() -> Iterator[list[Door]]:
    made = open_doors("mac_fill", [MODBUS, PANEL])
    yield made
    for door in made:
        door.listener.close()


def test_address_port_and_machine_are_filled_in_wherever_they_stand(doors: list[Door]) -> None:
    command = ["tool", "--to={address}:{port}", "{machine}", "{port}{port}"]
    address = doors[0].address
    assert fill(command, doors[:1], "Press 3") == ["tool", f"--to={address}:15031", "Press 3", "1503115031"]


def test_other_braces_belong_to_the_command(doors: list[Door]) -> None:
    command = ["awk", "{print $1}", "{}", "{Address}", "{"]
    assert fill(command, doors[:1], "Press 3") == command


def test_a_machines_name_is_not_read_as_a_placeholder(doors: list[Door]) -> None:
    assert fill(["{machine}"], doors[:1], "{address}") == ["{address}"]


def test_an_address_needs_one_service(doors: list[Door]) -> None:
    with pytest.raises(BadCommand, match="Controller, Panel"):
        fill(["tool", "{port}"], doors, "Press 3")
    assert fill(["tool", "{machine}"], doors, "Press 3") == ["tool", "Press 3"]
