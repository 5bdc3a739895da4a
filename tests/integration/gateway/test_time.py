# SPDX-License-Identifier: Apache-2.0
"""The gateway's own clock may say anything: only signed time counts (WIRE 10)."""

import ast
import asyncio
from pathlib import Path

import pytest

import portineria
from portineria.wire.statement import Time
from tests.integration.authority import Authority
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway.test_orders import refusal
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually

DAY_MS = 86_400_000
CLOCKS = {"1970": "@1970-01-01 00:00:00", "ten years ahead": "+10y", "ten years behind": "-10y"}


def wrong_clock(says: str) -> dict[str, str]:
    """The environment of a process whose wall clock says something else; CLOCK_BOOTTIME stays what it is."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("sudo apt-get install --no-install-recommends faketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": says, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}


@pytest.mark.parametrize("says", CLOCKS.values(), ids=CLOCKS)
async def test_a_gateway_with_a_wrong_clock_serves_its_orders(
    authority: Authority, device: Device, floor: Floor, tmp_path: Path, says: str
) -> None:
    """By its own clock every certificate that it is shown is far from valid."""
    process = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:502"])
    authority.admit(process.gateway)
    await process.start(environment=wrong_clock(says))
    try:
        await authority.linked(process.gateway)
        end = End(authority, process.gateway, tmp_path)
        end.permit([asset_of(device)])
        stream = await end.open()
        await stream.say(b"what year is it")
        assert await stream.heard(15) == b"what year is it"
        accepted = await authority.event(process.gateway, "order.accepted")
        assert abs(accepted.at_ms - authority._unix_ms()) < 60_000
    finally:
        await process.end()


async def test_a_question_that_was_answered_is_not_asked_again_at_once(plant: Plant) -> None:
    """Every five seconds it would be 900 MB a month, over a line that may be paid by the megabyte."""
    asked = plant.authority.gateways[plant.gateway].questions
    await eventually(lambda: asked, "the first question")
    before = len(asked)
    await asyncio.sleep(1)  # in which an unanswered one is asked three times; a new link may ask once
    assert len(asked) - before < 2
    plant.authority.answers_time = False
    plant.end.permit([plant.asset])
    await eventually(lambda: len(asked) > before + 3, "the question that nobody answers")


async def test_before_the_first_signed_time_no_order_is_accepted(plant: Plant) -> None:
    authority = plant.authority
    await plant.process.end()
    authority.answers_time = False
    await plant.process.start()
    await authority.linked(plant.gateway)
    plant.end.permit([plant.asset])
    assert await refusal(plant.end) == "order.unknown"
    refused = await authority.event(plant.gateway, "order.refused", reason="time.unknown")
    assert refused.at_ms == 0


async def test_an_order_that_came_first_waits_for_the_time(plant: Plant) -> None:
    authority = plant.authority
    await plant.process.end()
    authority.answers_time = False
    await plant.process.start()
    await authority.linked(plant.gateway)
    plant.end.permit([plant.asset])
    authority.answers_time = True  # the question is repeated
    stream = await plant.end.open()
    stream.hang_up()


async def test_a_question_says_which_time_was_heard_last(plant: Plant) -> None:
    """Whoever kept it back cannot pass it off as one that was asked after a restart."""
    authority = plant.authority
    await plant.process.end()
    authority.gateways[plant.gateway].questions.clear()
    before = authority._unix_ms()
    await plant.process.start()
    await authority.linked(plant.gateway)
    plant.end.permit([plant.asset], lease_s=1)  # asks often
    questions = authority.gateways[plant.gateway].questions
    await eventually(lambda: questions and questions[-1].heard_ms >= before, "the last time is named")
    assert questions[0].heard_ms == 0
    assert questions[-1].heard_ms <= authority._unix_ms()


async def test_the_hour_of_an_order_is_judged_by_signed_time_alone(plant: Plant) -> None:
    """A day later by the control plane's word, the same order is over."""
    plant.end.permit([plant.asset], drain_s=0, lease_s=1)
    stream = await plant.end.open()
    plant.authority.time_shift_ms = DAY_MS
    assert await stream.ended() == "expired"
    jumped = await plant.authority.event(plant.gateway, "gateway.clock.jumped")
    step_ms = jumped.fields["step_ms"]
    assert isinstance(step_ms, int)
    assert abs(step_ms - DAY_MS) < 10_000


async def test_a_time_that_was_not_asked_for_is_not_believed(plant: Plant) -> None:
    authority = plant.authority
    plant.end.permit([plant.asset], drain_s=0)
    stream = await plant.end.open()
    forged = Time(plant.gateway, b"n" * 32, authority._unix_ms() + DAY_MS)
    authority.send(plant.gateway, forged)
    await eventually(lambda: "time.not-believed" in plant.process.said)
    await stream.say(b"still in time")
    await stream.heard(13)


def test_nothing_on_the_gateways_path_asks_the_wall_clock() -> None:
    source = Path(portineria.__file__).parent
    rooms = [source / "dataplane/gateway", source / "dataplane/aio", source / "wire"]
    files = [path for room in rooms for path in room.rglob("*.py")]
    assert files
    asked = [f"{path.relative_to(source)}: {call}" for path in files for call in wall_clock_calls(path.read_text())]
    assert asked == []


def wall_clock_calls(text: str) -> list[str]:
    names = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.CLOCK_REALTIME"}
    found = [ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
    return [name for name in found if name in names or name.endswith((".now", ".utcnow", ".today"))]


def test_such_a_call_is_found() -> None:
    assert wall_clock_calls("import time\nx = time.time()") == ["time.time"]
    assert wall_clock_calls("from datetime import datetime\nx = datetime.now()") == ["datetime.now"]
    assert wall_clock_calls("import time\nx = time.clock_gettime(time.CLOCK_BOOTTIME)") == []
