# SPDX-License-Identifier: Apache-2.0
"""Systems that keep tickets, by their published documents: found, commented, opened once, away, refusing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from portineria.sinks.catalogue import kind_of
from portineria.sinks.kind import Away, Refused, Taken
from portineria.sinks.setting import BadSetting, cleaned
from portineria.sinks.ticket import Covered, Standing, Ticket, standing
from portineria.sinks.ticketing import Tickets
from tests.integration.sinks.endpoint import as_json, closed_port, serving
from tests.integration.sinks.ticket_desks import Desk, Homemade, Jira, ServiceNow
from tests.unit.sinks.events import outgoing

FIELDS = {"machine_field": "cmdb_ci", "supplier_field": "company"}
JIRA_FIELDS = {"machine_field": "customfield_10010", "supplier_field": "customfield_10011", "project": "OT"}
KINDS: dict[str, tuple[str, Callable[[], Desk], dict[str, str]]] = {
    "ServiceNow": ("servicenow", ServiceNow, {"user": "gatehouse", "password": "secret", **FIELDS}),
    "ServiceNow, OAuth": (
        "servicenow", lambda: ServiceNow(oauth=True),
        {"user": "gatehouse", "password": "secret", "sign_in": "oauth", **FIELDS},
    ),
    "Jira Cloud": ("jira", Jira, {"user": "gatehouse@plant.example", "token": "t0ken", **JIRA_FIELDS}),
    "Jira Data Center": ("jira", lambda: Jira(cloud=False), {"edition": "datacenter", "token": "t0ken", **JIRA_FIELDS}),
    "any other": ("tickets", Homemade, {"token": "t0ken", "mapping": Homemade.MAPPING}),
}  # fmt: skip
COVERS: dict[str, dict[str, Any]] = {  # the same ticket, as each has it
    "servicenow": {"state": "Implement", "cmdb_ci": "Press 3, PLC-1", "company": "ACME  Drives"},
    "jira": {
        "status": {"name": "Implement"}, "customfield_10010": [{"value": "Press 3"}, {"value": "PLC-1"}],
        "customfield_10011": {"name": "ACME Drives"},
    },
    "tickets": {"status": {"name": "Implement"}, "assets": ["Press 3", "PLC-1"], "vendor": "ACME Drives"},
}  # fmt: skip
WORK = Covered(("Press 1", "PLC-1"), "Acme Drives")


def keeper(kind: str, settings: dict[str, str]) -> Tickets:
    known = kind_of(kind)
    assert known is not None
    assert known.tickets is not None
    return known.tickets(cleaned(known.settings, settings))


@pytest.mark.parametrize("name", KINDS)
async def test_a_ticket_is_found_told_and_opened_once(name: str) -> None:
    kind, desk_of, settings = KINDS[name]
    desk = desk_of()
    desk.tickets["CHG-7"] = COVERS[kind]
    with serving(desk) as address:
        tickets = keeper(kind, {"address": address, **settings})
        found = await tickets.find("CHG-7")
        assert found is not None
        assert (found.number, found.state) == ("CHG-7", "Implement")
        assert standing(found, WORK, "scheduled, IMPLEMENT") is Standing.HOLDS
        assert await tickets.find("CHG-8") is await tickets.find("CHG-7^ORnumberISNOTEMPTY") is None
        await tickets.comment("CHG-7", "Portineria: over.\nSecond line.")
        await tickets.close()

        known = kind_of(kind)
        assert known is not None
        sender = known.open(cleaned(known.settings, {"address": address, "opens": "chosen", **settings}))
        events = [outgoing("operation.refused", seq, targets="{noformat}[code]<b>[/code]") for seq in (1, 2)]
        assert await sender.send(events) == await sender.send(events) == Taken(2)
        assert await sender.send([outgoing("sinks.sink.tested", 3)]) == Taken(1)
        desk.faults = [as_json(429, {}, Retry_After="9")]
        with pytest.raises(Away) as away:
            await sender.send([outgoing("operation.refused", 4)])
        assert away.value.retry_after_s == 9
        await sender.close()
    assert len(desk.opened) == 2
    assert "operation refused" in json.dumps(desk.opened)
    ((number, text),) = desk.comments
    assert number == "CHG-7"
    assert "Portineria: over." in json.dumps(text)
    assert desk.wrong == []


@pytest.mark.parametrize("name", KINDS)
async def test_what_is_no_answer_is_none(name: str) -> None:
    """A ticket that cannot be asked for is not one that does not exist."""
    kind, desk_of, settings = KINDS[name]
    desk = desk_of()
    desk.tickets["CHG-7"] = COVERS[kind]
    wrong = {**settings, ("password" if kind == "servicenow" else "token"): "wrong"}
    with serving(desk) as address:
        for given, faults in (
            (wrong, []),
            (settings, [as_json(500, {})]),
            (settings, [(200, {}, b"<html>please sign in</html>")]),
            (settings, [as_json(200, {"unexpected": []})]),
            (settings, [as_json(200, [])]),
            (settings, [(302, {"Location": f"{address}/login"}, b"")]),
        ):
            tickets = keeper(kind, {"address": address, **given})
            if settings.get("sign_in") == "oauth" and faults:
                await tickets.find("CHG-7")  # so that it has a token
            desk.faults = list(faults)
            with pytest.raises(Away):
                await tickets.find("CHG-7")
            await tickets.close()
        tickets = keeper(kind, {"address": closed_port(), **settings})
        with pytest.raises(Away):
            await tickets.find("CHG-7")
        await tickets.close()
        tickets = keeper(kind, {"address": address, **settings})
        if kind != "tickets":
            with pytest.raises(Refused):
                await tickets.comment("CHG-8", "x")
        if kind != "servicenow":  # which is asked for its row first
            desk.faults = [as_json(403, {})]  # closed: it will never take one
            with pytest.raises(Refused):
                await tickets.comment("CHG-7", "x")
        await tickets.close()


async def test_events_are_taken_without_a_word_where_none_opens_a_ticket() -> None:
    desk, known = ServiceNow(), kind_of("servicenow")
    assert known is not None
    with serving(desk) as address:
        given = {"address": address, "user": "gatehouse", "password": "secret"}
        sender = known.open(cleaned(known.settings, given))
        assert await sender.send([outgoing("operation.refused", seq) for seq in range(1, 51)]) == Taken(50)
        await sender.close()
    assert (desk.asked, desk.opened) == (0, [])


async def test_markup_of_strangers_is_text() -> None:
    """Between [code] and [/code] ServiceNow shows HTML; a second {noformat} would end Jira's first."""
    text = "{NoFormat}[http://evil.example] [CODE]<img src=x>[/code]"
    for name in ("ServiceNow", "Jira Data Center"):
        kind, desk_of, settings = KINDS[name]
        desk = desk_of()
        desk.tickets["CHG-7"] = COVERS[kind]
        with serving(desk) as address:
            tickets = keeper(kind, {"address": address, **settings})
            await tickets.comment("CHG-7", text)
            await tickets.close()
        said = desk.comments[0][1]
        if kind == "jira":
            assert said.lower().count("{noformat}") == 2
            assert said.endswith("{noformat}")
        else:
            assert "[code]" not in said.lower()
            assert "[/code]" not in said.lower()


def test_what_a_ticket_says_of_the_work() -> None:
    def said(state: str = "Open", **fields: tuple[str, ...]) -> Standing:
        return standing(Ticket("CHG-7", state, fields.get("machines"), fields.get("suppliers")), WORK, "open,work ok")

    assert said() is said("WORK OK") is said(machines=("see plc-1.",), suppliers=("acme drives",)) is Standing.HOLDS
    assert said("Closed") is said("") is Standing.STATE
    assert standing(Ticket("CHG-7", "Closed"), WORK, "") is Standing.HOLDS
    for other in ("PLC-10", "XPLC-1", "PLC-1-B", ""):
        assert said(machines=(other,)) is Standing.MACHINE
    assert said(machines=()) is Standing.MACHINE
    assert said(suppliers=("ACME",)) is said(suppliers=()) is Standing.SUPPLIER
    assert standing(Ticket("CHG-7", "Open", suppliers=()), Covered(("PLC-1",)), "open") is Standing.HOLDS
    assert standing(None, WORK, "") is Standing.MISSING


@pytest.mark.parametrize(
    "bad",
    [
        "", "find = 3", "[find]\npath = 'a/{number}'", "[[find]]",
        Homemade.MAPPING.replace("?full=1", "/../{secret}"), Homemade.MAPPING.replace("{number}", "x"),
        Homemade.MAPPING.replace("desk/tickets/{number}?full=1", "//evil.example/{number}"),
        Homemade.MAPPING.replace('"note.text"', '"note..text"'), Homemade.MAPPING + "\n[other]\n",
        Homemade.MAPPING.replace('"body.format"', '"body.text.format"'),
        Homemade.MAPPING.replace("[comment]", '[comment]\nmethod = "DELETE"'), "a = " + "[" * 5000,
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_work_is_refused_when_it_is_given(bad: str) -> None:
    with pytest.raises(BadSetting) as refused:
        keeper("tickets", {"address": "https://desk.example", "token": "t", "mapping": bad})
    assert refused.value.setting == "mapping"
