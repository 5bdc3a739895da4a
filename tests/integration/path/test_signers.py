# SPDX-License-Identifier: Apache-2.0
"""A new signer of orders, from the command on the server to the plant, while people work (WIRE 6)."""

import socket
import subprocess
import sys

from tests.integration.path.conftest import WholePath


def signers(path: WholePath, *options: str) -> str:
    command = [
        sys.executable,
        "-m",
        "portineria.cli.main",
        "signers",
        "--state",
        str(path.stage.server_state),
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opens(address: tuple[str, int]) -> bool:
    with socket.create_connection(address, timeout=20) as tool:
        tool.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return tool.recv(4) == b"HTTP"


def test_a_new_signer_reaches_the_plant_and_work_goes_on(path: WholePath) -> None:
    plant = path.stage.plants[0]
    before = signers(path).split()[1]
    with path.connected(plant) as held:
        assert opens(held.doors["http"])
        new = signers(path, "--rotate", "order").split()[0]
        assert new != before
        assert opens(held.doors["http"]), "under the order that the old one signed"
        path.until(lambda: "not known yet" not in signers(path))  # nor to the plant where nobody works
        assert opens(held.doors["http"])
    with path.connected(plant) as held:
        assert opens(held.doors["http"]), "under an order of the new one"
    with path.connected(path.stage.plants[1]) as held:
        assert opens(held.doors["http"]), "in the other plant too"
