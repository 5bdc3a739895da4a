# SPDX-License-Identifier: Apache-2.0
"""The REST API as it is served, against what it says of itself: no fault of the server, and no answer it does not name.

Few examples for every change, the same ones each time; with PORTINERIA_DEEP=1 new ones are looked for (`make deep`).
And the handbook's commands, as they stand there.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from portineria.control import administration_accounts
from portineria.control.identity.models import Role
from tests.integration.control.calling import Browser, Program
from tests.integration.control.described import described
from tests.integration.control.test_every_operation import operations
from tests.integration.control.world import World, person

pytestmark = pytest.mark.sqlite  # serves one database from several threads
HANDBOOK = Path(__file__).resolve().parents[3] / "docs/howto/api.md"


def known(world: World, program: Program) -> dict[str, Any]:
    """What stands there, by the name of its place in an address."""
    return {
        "machine": world.machine.public_id, "request_id": world.request(), "gateway": world.gateway.id,
        "plant": world.plant, "organisation": world.organisation, "person": world.rival.public_id,
        "supplier": world.supplier, "rule": world.rule, "account": program.account.public_id, "seq": 3,
    }  # fmt: skip


def headers_of(browser: Browser) -> dict[str, str]:
    cookies = "; ".join(f"{name}={one.value}" for name, one in browser.client.cookies.items())
    return {"Cookie": cookies, "X-CSRFToken": browser.forgery}


def test_every_answer_is_one_that_the_description_names(committed_world: World, live_server: Any) -> None:
    from tests.integration.control.schema_cases import Asking

    world = committed_world
    program = Program(world)
    second = person("second", world.organisation, Role.ADMINISTRATOR)
    callers = [
        headers_of(Browser(world.owner)),
        headers_of(Browser(second)),
        {"Authorization": f"Bearer {program.token}"},
    ]
    asking = Asking(live_server.url, known(world, program), callers)
    assert asking.about_everything(described()) == len(operations())
    # Otherwise nothing was tried but refusals.
    assert asking.answers[200] >= 30, asking.answers
    assert asking.answers[422] >= 30, asking.answers


def test_what_is_served_is_what_is_described(client: Any, db: None) -> None:
    answer = client.get("/api/rest/v1/openapi.json")
    assert answer.json() == json.loads(json.dumps(described()))
    assert answer.json()["openapi"].startswith("3.1")


def commands() -> list[str]:
    """Of the handbook's blocks for a shell, those that call the API; a backslash goes on in the next line."""
    blocks = re.findall(r"```sh\n(.*?)```", HANDBOOK.read_text("utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


def test_the_handbook_s_commands_do_what_it_says(committed_world: World, live_server: Any, tmp_path: Path) -> None:
    world = committed_world
    administration_accounts.add("Maintenance planner", organisation=world.organisation)
    token, _ = administration_accounts.token(
        "Maintenance planner", organisation=world.organisation, place="server 1", days=30, may=["operate"]
    )
    (tmp_path / "token-header").write_text(f"Authorization: Bearer {token}\n")
    said: list[Any] = []
    for command in commands():
        for name, value in {
            "https://console.example": live_server.url, "mac_EXAMPLE": world.machine.public_id,
            "org_EXAMPLE": world.organisation, "CURSOR": (said[-1].get("next") or "") if said else "",
        }.items():  # fmt: skip
            command = command.replace(name, value)
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
        )
        said.append(json.loads(done.stdout))
    assert len(said) >= 6
    assert said[0]["name"] == "Maintenance planner"
    assert [one["code"] for one in said if "code" in one] == ["api.scope"]
    locks = [one for one in said if "lock" in one]
    assert len(locks) == 2
    assert locks[0] == locks[1]
