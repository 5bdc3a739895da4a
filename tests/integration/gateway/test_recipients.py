# SPDX-License-Identifier: Apache-2.0
"""`portineria gateway recipients`: the plant's own word about who may read recordings."""

from pathlib import Path

import pyrage
import pytest

from portineria.cli.main import main
from tests.integration.authority import Authority
from tests.integration.gateway_process import GatewayProcess

ONE, TWO = (str(pyrage.x25519.Identity.generate().to_public()) for _ in range(2))


async def test_the_plant_adds_and_removes_recipients(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = GatewayProcess(authority, tmp_path / "gateway", reach=[])

    def recipients(*words: str) -> int:
        change, *rest = words
        return main(["gateway", "recipients", "--state", str(process.state.directory), change, *rest])

    assert recipients("list") == 0
    assert recipients("add", ONE, TWO, ONE) == 0
    assert process.state.load_pinned().recording_recipients == [ONE, TWO]
    assert recipients("remove", ONE) == 0
    assert recipients("remove", ONE) == 1
    assert recipients("add", "age1nonsense") == 2
    assert recipients("add") == 2
    capsys.readouterr()
    assert recipients("list") == 0
    assert capsys.readouterr().out == f"{TWO}\n"
