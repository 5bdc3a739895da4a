# SPDX-License-Identifier: Apache-2.0
"""Declarations of the tests of ``portineria apply``, and what is done with them."""

from __future__ import annotations

import pytest

from portineria.control.access.models import Rule
from portineria.control.audit.models import Event
from portineria.control.declaration.document import Faulty, parse_declaration
from portineria.control.declaration.operation import Proposal, carry_out, propose
from portineria.control.estate.models import Machine, Plant, Service
from portineria.control.identity.models import Membership, Person, Supplier

HEAD = 'organisation = { name = "Owner\'s plant" }\n'
PRESS = '[[machine]]\nplant = "North"\nname = "Press 3"\ngateway = "cabinet 4"\n'
PLC = '[[machine.device]]\nname = "PLC"\naddress = "192.168.10.5"\n'
ADDED = """
[[plant]]
name = "South"
time_zone = "Asia/Tokyo"
lines = ["Line 9"]
[[supplier]]
name = "Robots & Co"
[[person]]
name = "Newcomer"
email = "newcomer@example.com"
role = "technician"
supplier = "Robots & Co"
language = "ja"
[[machine]]
plant = "North"
name = "Robot 1"
gateway = "cabinet 4"
answering = "approver@example.com"
drain_s = 0
[[machine.device]]
name = "arm"
address = "192.168.10.9"
services = [{ name = "ssh", protocol = "ssh", port = 22 }, { name = "web", protocol = "http", port = 80 }]
[[rule]]
supplier = "Robots & Co"
machines = ["Robot 1", "North/Press 3"]
max_minutes = 60
[[rule]]
person = "newcomer@example.com"
machines = ["Robot 1"]
needs_approval = false
"""
PERSON = '[[person]]\nname = "{0}"\nemail = "{0}@example.com"\nrole = "{1}"\n'
COUNTED = (Plant, Machine, Service, Supplier, Person, Membership, Rule, Event)


def proposal(text: str, **how: object) -> Proposal:
    return propose(parse_declaration((HEAD + text).encode()), **how)  # type: ignore[arg-type]


def applied(text: str, **how: object) -> dict[str, str]:
    return carry_out(proposal(text, **how))


def faults(text: str, **how: object) -> list[str]:
    with pytest.raises(Faulty) as refused:
        proposal(text, **how)
    return list(refused.value.faults)


def counts() -> list[int]:
    return [model._default_manager.count() for model in COUNTED]
