# SPDX-License-Identifier: Apache-2.0
"""The consent of the plant over the whole path: a button at the gateway, a coil, a session that rests on them."""

import os
import re
import signal

from portineria.core.errors import Unavailable
from portineria.demo.main_job import HeldSession
from tests.integration.path.conftest import WholePath

MACHINE = "Torino press 3 consent"
WITHIN_S = 12.0  # five seconds of silence, and what a busy machine needs to notice
_SIGNAL = re.compile(r"<strong>(button|guard)</strong>.*?state state-(\w+)", re.DOTALL)


def refused(path: WholePath) -> str:
    try:
        with HeldSession(MACHINE, path.env):
            return ""
    except Unavailable as error:
        return str(error)


def test_work_ends_with_the_button_and_with_the_gateways_silence(path: WholePath) -> None:
    plant, leader = path.stage.plants[0], path.person("Shift leader")
    made = path.act("inspected", "Torino press 3", MACHINE, "observe")
    path.act("consent", made["machine"], made["rule"])
    path.run("request", MACHINE, "--reason", "test", "--minutes", "30")

    def tones() -> dict[str, str]:
        return dict(_SIGNAL.findall(leader.get(f"/machines/{made['machine']}/").text))

    def finishes(held: HeldSession) -> bool:
        return "a consent signal of the plant" in leader.get(f"/sessions/{held.session}/").text

    folder = plant.gateway_state / "signals"
    folder.mkdir()
    (folder / "button").write_text("1")
    path.until(lambda: tones()["button"] == "live")
    assert tones()["guard"] in ("live", "stop")  # the controller answers, whatever its coil is
    with HeldSession(MACHINE, path.env) as held:
        (folder / "button").write_text("0")
        path.until(lambda: finishes(held), seconds=WITHIN_S)
    assert "consent signal" in refused(path)

    (folder / "button").write_text("1")
    path.until(lambda: tones()["button"] == "live")
    with HeldSession(MACHINE, path.env) as held:
        gateway = path.stage.processes.pid("gateway-torino")
        os.kill(gateway, signal.SIGSTOP)
        try:
            path.until(lambda: finishes(held), seconds=WITHIN_S)
            assert tones() == {"button": "wait", "guard": "wait"}  # nothing heard of them
        finally:
            os.kill(gateway, signal.SIGCONT)
    path.until(lambda: tones()["button"] == "live")
