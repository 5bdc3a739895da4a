# SPDX-License-Identifier: Apache-2.0
"""Every operation of the REST API, for everybody: what one may not see is answered like what does not exist.

The operations are those of its description; one that is new is tried without anybody thinking of it.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from itertools import product
from typing import Any

import pytest
from django.test import Client
from ninja import Schema

from portineria.control.identity import delegating
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.entering import enter
from portineria.control.identity.inside import INSIDE
from tests.integration.control.calling import BASE, Browser, Program
from tests.integration.control.counting import Counted
from tests.integration.control.delegated import Provider
from tests.integration.control.described import described
from tests.integration.control.test_every_address import NOWHERE, PLACE, Things, filled, things, told, watchful
from tests.integration.control.world import ConnectorEnd, World
from tests.integration.control.world_again import rest_a_minute

__all__ = ["things", "watchful"]  # the fixtures
pytestmark = pytest.mark.sqlite  # three thousand requests; what they ask the database is asked of both elsewhere


@cache
def operations() -> list[tuple[str, str]]:
    return sorted((method, path) for path, item in described()["paths"].items() for method in item)


def of_things() -> list[tuple[str, str]]:
    return [(method, path) for method, path in operations() if PLACE.search(path)]


def lists() -> list[tuple[str, str]]:
    return [(method, path) for method, path in operations() if method == "get" and not PLACE.search(path)]


def of_oneself() -> list[tuple[str, str]]:
    """What everybody has of their own: nothing of others is asked for."""
    return [
        (method, path) for method, path in operations()
        if described()["paths"][path][method]["x-scope"] == "personal" and not PLACE.search(path)
        and path.removeprefix(BASE) != "/saved-searches"
    ]  # fmt: skip


# What a supplier's technician sees of their own; everything else of things is not there for them.
OF_THE_TECHNICIAN = {
    "/machines/{machine}", "/requests/{request_id}", "/requests/{request_id}/cancel", "/grants/{grant}",
    "/grants/{grant}/revoke", "/sessions/{session}", "/sessions/{session}/streams", "/sessions/{session}/recordings",
    "/sessions/{session}/cut", "/sessions/{session}/end", "/held/{held}", "/requests/{request_id}/job",
    "/requests/{request_id}/files/{entry}", "/sessions/{session}/report", "/sessions/{session}/report/sign",
    "/program-contents/{supplier}", "/extensions/{extension}", "/grants/{grant}/extensions",
    "/extensions/{extension}/withdraw",
}  # fmt: skip
OF_AN_AGENT = {"read", "ask"}
NOT_OF_TOKENS = {"administer", "approve", "personal"}


def sample(schema: dict[str, Any], name: str, ids: Things) -> Any:
    """The smallest body that is read: ids where a field has the name of a thing."""
    if "$ref" in schema:
        return sample(described()["components"]["schemas"][schema["$ref"].rpartition("/")[2]], name, ids)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        needed = schema.get("required", [])
        return {key: sample(one, key, ids) for key, one in schema.get("properties", {}).items() if key in needed}
    if schema["type"] == "array":
        return [sample(schema["items"], name.removesuffix("s"), ids)]
    if "format" in schema:
        return {"date": "2027-01-31", "date-time": "2027-01-31T08:00:00Z"}[schema["format"]]
    known = "machine" if name == "thing" else name
    return {"string": str(asdict(ids).get(known, "x@example.com")), "boolean": True}.get(
        schema["type"], schema.get("minimum", 1)
    )


def body(method: str, path: str, ids: Things) -> dict[str, Any]:
    given = described()["paths"][path][method].get("requestBody")
    found: dict[str, Any] = sample(given["content"]["application/json"]["schema"], "", ids) if given else {}
    return found


def called(end: Browser | Program, method: str, path: str, ids: Things) -> Any:
    address = filled(path.removeprefix(BASE), ids)
    return end.get(address) if method == "get" else end.post(address, body(method, path, ids))


def test_there_are_operations() -> None:
    assert len(operations()) >= 60
    assert len({item["operationId"] for path in described()["paths"].values() for item in path.values()}) == len(
        operations()
    )


def test_no_name_stands_for_two_kinds_of_answer() -> None:
    """The description has one place for each name: the second kind would be described as the first."""
    answers: list[type[Schema]] = [Schema]
    for kind in answers:
        answers += kind.__subclasses__()
    ours = {kind for kind in answers if kind.__module__.startswith("portineria.control.rest.")}
    names = [kind.__name__ for kind in ours if kind.__name__ in described()["components"]["schemas"]]
    assert sorted(names) == sorted(set(names))


def test_what_others_have_is_answered_like_what_does_not_exist(world: World, things: Things) -> None:
    elsewhere = {*lists(), *of_oneself()}
    for end, (method, path) in product((Browser(world.stranger), Browser(world.rival)), operations()):
        if (method, path) in elsewhere:
            continue
        answers = []
        for ids in (things, NOWHERE):
            with Counted() as queries:
                answer = called(end, method, path, ids)
            answers.append((*told(answer, ids), len(queries)))
        assert answers[0] == answers[1], (method, path)
        assert answers[0][0] == 404, (method, path, answers[0])


OF_THE_PROVIDER = {
    "/customers/{delegation}/incident", "/customers/{delegation}/decline", "/name-questions/{question}/answer",
}  # fmt: skip


def test_a_provider_finds_nothing_of_a_customer_elsewhere(world: World, things: Things, watchful: Provider) -> None:
    end = Browser(watchful.watcher)
    finds_nothing(end, things)
    other = world.stranger.memberships.get().organisation.public_id
    delegating.delegate(actor=world.stranger, organisation=other, provider=watchful.organisation, powers=Power)
    enter(actor=watchful.watcher, customer=other)
    session = end.client.session
    session[INSIDE] = other
    session.save()
    rest_a_minute()
    finds_nothing(end, things)


def finds_nothing(end: Browser, things: Things) -> None:
    for method, path in of_things():
        if path.removeprefix(BASE) in OF_THE_PROVIDER:
            continue
        there, nowhere = (told(called(end, method, path, ids), ids) for ids in (things, NOWHERE))
        assert there == nowhere, (method, path)
        assert there[0] == 404, (method, path, there)


def test_an_agent_finds_nothing_that_no_rule_of_its_own_opens(world: World, things: Things) -> None:
    """Though whoever answers for it belongs to the organisation, and so does the agent."""
    end = Program(world, bound=True, answered_by=world.operator.public_id)
    for method, path in of_things():
        scope = described()["paths"][path][method]["x-scope"]
        if scope in OF_AN_AGENT:
            there, nowhere = (told(called(end, method, path, ids), ids) for ids in (things, NOWHERE))
            assert there == nowhere, (method, path)
            assert there[0] == 404, (method, path, there)
        elif scope not in NOT_OF_TOKENS:  # an agent's token has it not, whatever was asked for
            refused = called(end, method, path, things)
            assert (refused.status_code, refused.json()["code"]) == (403, "api.scope"), (method, path)
    holds_nothing_of_others(world, things, "agent", end)


def test_lists_hold_nothing_of_others(world: World, things: Things) -> None:
    for who in ("stranger", "rival", "technician"):
        holds_nothing_of_others(world, things, who)


def holds_nothing_of_others(world: World, things: Things, who: str, program: Program | None = None) -> None:
    person = program.account if program else getattr(world, who)
    end = program or Browser(person)
    theirs = (
        {things.machine, things.request, things.grant, things.session, things.supplier, things.held, things.extension}
        if who == "technician"
        else ()
    )
    kept = {*asdict(things).values()} - {*theirs, things.seq, things.number, person.public_id}
    if who != "stranger":
        kept -= {things.organisation}
    for _, path in lists():
        asked = f"?organisation={things.organisation}&person={things.person}&machine={things.machine}"
        answer = end.get(path.removeprefix(BASE) + (asked if path.endswith("/simulation") else ""))
        assert answer.status_code == (404 if path.endswith("/simulation") else 200), path
        if path.endswith("/simulation"):
            continue
        assert [one for one in kept if one.encode() in answer.content] == [], path


def test_a_technician_finds_their_own_and_nothing_of_the_owner_s(world: World, things: Things) -> None:
    end, found = Browser(world.technician), set()
    for method, path in of_things():
        status = called(end, method, path, things).status_code
        assert status in (200, 403, 404, 409), (method, path, status)
        if status in (200, 409):
            found.add(path.removeprefix(BASE))
    assert found == OF_THE_TECHNICIAN


def test_the_owner_reads_everything(world: World, things: Things) -> None:
    end = Browser(world.owner)
    for method, path in operations():
        if method == "get" and not path.endswith("/simulation"):
            assert called(end, "get", path, things).status_code == 200, path


def test_no_operation_answers_anybody_unknown_and_no_token_approves_or_administers(
    world: World, things: Things
) -> None:
    client, program, answers = Client(), Program(world), set()
    connector = ConnectorEnd(world.owner)
    for method, path in operations():
        address = filled(path, things)
        with Counted() as queries:
            answer = client.generic(method.upper(), address, b"{}", content_type="application/json")
        assert (answer.status_code, len(queries)) == (401, 0), (method, path)
        answers.add(answer.content)
        if described()["paths"][path][method]["x-scope"] in NOT_OF_TOKENS:
            refused = [called(program, method, path, things)]  # before anything is looked for
            refused.append(
                Client().generic(
                    "POST", address, b"{}", content_type="application/json",
                    headers=connector.headers("POST", address, b"{}"),
                )
            )  # fmt: skip
            assert {(one.status_code, one.json()["code"]) for one in refused} == {(403, "api.scope")}, path
    assert len(answers) == 1
    assert world.owner.public_id.encode() not in b"".join(answers)
