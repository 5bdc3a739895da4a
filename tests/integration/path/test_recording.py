# SPDX-License-Identifier: Apache-2.0
"""A recorded session from the technician's tool to the file that the owner checks: real Modbus device, real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from portineria.core.errors import Unavailable
from portineria.dataplane.gateway.http import Refused, post_bytes
from portineria.demo.main_job import sign_in
from portineria.demo.processes import PORTINERIA, portineria
from portineria.recording.upload import HEADER
from tests.integration.path.conftest import WholePath

_CLIENTS = Path(__file__).parents[1] / "plant" / "client.py"


def portineria_ends(*words: str) -> int:
    return subprocess.run([*PORTINERIA, *words], capture_output=True, text=True, timeout=60, check=False).returncode


def test_nobody_elses_chunk_is_taken_in(path: WholePath) -> None:
    url = f"{path.stage.console}/api/v1/gateways/recordings"
    for headers in ({}, {HEADER: "AAAA"}):
        with pytest.raises(Refused) as refused:
            post_bytes(url, [bytes(1 << 20)], 1 << 20, headers, proxy="none")
        assert refused.value.code == "not-found"


@pytest.mark.slow
def test_a_recorded_session_reaches_the_owner_whole(path: WholePath, tmp_path: Path) -> None:
    """The gateway brings the recording, and forgets what is kept there."""
    plant = path.stage.plants[0]
    machine = f"{plant.name} press 3"
    assert path.act("record_machine", machine, "strict") == "strict"
    try:
        with path.connected(plant) as held:
            address, port = held.doors["modbus"]
            client = [sys.executable, str(_CLIENTS), "modbus", address, str(port)]
            done = subprocess.run(client, capture_output=True, text=True, timeout=90, check=False)
            assert done.returncode == 0, done.stderr[-1500:]
        session = held.session
    finally:
        path.act("record_machine", machine, "none")
    path.until(lambda: path.act("kept", session) == ["session.ended"])
    leader = path.stage.environment("leader")
    sign_in(path.stage, "Shift leader", leader)
    archive, identity, out = tmp_path / "session.tar", tmp_path / "identity.txt", tmp_path / "out"
    with pytest.raises(Unavailable):  # nobody has said yes
        portineria("recording", "fetch", session, "-o", str(archive), env=leader)
    path.act("look", session, "approver@example.com")
    portineria("recording", "fetch", session, "-o", str(archive), env=leader)
    portineria("recording", "identity", "-o", str(identity), "--state", str(path.stage.server_state), env=leader)
    assert portineria_ends("recording", "verify", str(archive)) == 0
    assert portineria_ends("recording", "decrypt", str(archive), "-i", str(identity), "-o", str(out)) == 0
    [capture] = out.glob("*.pcapng")
    command = ["tshark", "-r", str(capture), "-Y", "modbus && !_ws.malformed"]
    dissected = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert len(dissected.stdout.splitlines()) >= 2
    events = path.act("events", session)
    told = [code.rpartition(".")[2] for code in events if "recording." in code]
    assert told == ["started", "finished", "completed", "read"]
    path.until(lambda: not list((plant.gateway_state / "recordings").rglob("*.chunk")))  # kept there, forgotten here
