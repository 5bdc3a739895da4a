# SPDX-License-Identifier: Apache-2.0
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.demo.namespace import Kind, PlantNetwork, available
from tests.integration.plant.running import RunningPlant, end


@pytest.fixture(scope="session", params=[Kind.ROOT, Kind.USER], ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Both ways to make namespaces; unprivileged ones can be made by root too."""
    wanted: Kind = request.param
    found = available()
    if found.kind is Kind.NONE or (wanted is Kind.ROOT and found.kind is not Kind.ROOT):
        pytest.skip(f"{wanted} namespaces: {found.reason}")
    return wanted


@pytest.fixture(scope="package")
def two_plants(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPlant, RunningPlant]]:
    """Torino and Nagoya: the same addresses, at the same time."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("apt-get install openssh-client")
    plants = []
    with PlantNetwork("torino", kind=kind) as torino, PlantNetwork("nagoya", kind=kind) as nagoya:
        for name, network in (("Torino press line 3", torino), ("Nagoya press line 3", nagoya)):
            folder = tmp_path_factory.mktemp("plant")
            authorize(folder)
            plants.append(RunningPlant(name, network, folder))
        for plant in plants:
            plant.start()
        try:
            for plant in plants:
                plant.wait_ready()
            yield plants[0], plants[1]
        finally:
            statuses = [end(plant.process) for plant in plants]
        assert statuses == [0, 0]


def authorize(folder: Path) -> None:
    """The technician's key may enter the maintenance PC."""
    key = folder / "technician"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
