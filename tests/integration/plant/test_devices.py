# SPDX-License-Identifier: Apache-2.0
"""Real clients against the devices of two plants that own the same addresses at the same time."""

import hashlib
import json

import pytest

from portineria.demo.plant.panel import file_chunks
from tests.integration.plant.running import RunningPlant, wait_until

pytestmark = pytest.mark.netns
TwoPlants = tuple[RunningPlant, RunningPlant]


def test_both_plants_own_the_same_addresses_and_standard_ports(two_plants: TwoPlants) -> None:
    torino, nagoya = two_plants
    assert torino.places == nagoya.places
    assert torino.places == {
        "modbus": ("192.168.10.11", 502),
        "s7": ("192.168.10.12", 102),
        "opcua": ("192.168.10.13", 4840),
        "ssh": ("192.168.10.14", 22),
        "http": ("192.168.10.15", 80),
    }


def test_the_panel_shows_the_machine_of_its_own_plant(two_plants: TwoPlants) -> None:
    values = [json.loads(plant.run("curl", "-sf", "http://192.168.10.15/values")) for plant in two_plants]
    assert [value["name"] for value in values] == ["Torino press line 3", "Nagoya press line 3"]
    assert values[0]["parts"] != values[1]["parts"]
    assert values[0]["temperature_setpoint_c"] != values[1]["temperature_setpoint_c"]
    page = two_plants[1].run("curl", "-sf", "http://192.168.10.15/")
    assert "<h1>Nagoya press line 3</h1>" in page
    assert 'http-equiv="refresh"' in page


def test_the_panel_streams_the_same_bytes_to_whoever_knows_the_name(two_plants: TwoPlants) -> None:
    size = 3_000_001
    digests = []
    for number, plant in enumerate(two_plants):
        target = plant.folder / f"download-{number}"
        plant.run("curl", "-sf", "-o", str(target), f"http://192.168.10.15/file?bytes={size}")
        digests.append(hashlib.sha256(target.read_bytes()).hexdigest())
        expected = hashlib.sha256(b"".join(file_chunks(size, plant.name))).hexdigest()
        assert digests[-1] == expected
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    "path", ["file?bytes=-1", "file?bytes=99999999999999999999", "file?bytes=x", "file", "nothing"]
)
def test_the_panel_answers_nonsense_with_an_error_and_lives(two_plants: TwoPlants, path: str) -> None:
    code = two_plants[0].run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://192.168.10.15/{path}")
    assert code == ("404" if path == "nothing" else "400")
    assert two_plants[0].run("curl", "-sf", "http://192.168.10.15/values")


def test_modbus_reads_lives_and_refuses_what_the_machine_cannot_bear(two_plants: TwoPlants) -> None:
    torino, nagoya = two_plants
    before = len(nagoya.noted("controller", "write"))
    seen = torino.client("modbus")
    assert seen["name"] == "Torino press line 3"
    assert seen["setpoint_taken"]
    assert (seen["too_hot"], seen["half_good"], seen["measured"], seen["outside"]) == (3, 3, 2, 2)
    assert seen["after"][4] == 1500
    assert seen["after"][0] != seen["before"][0]
    assert seen["recipe_read"] == [7, 8, 9]
    assert seen["coils"] == [True, True]
    assert seen["state"] == [0]
    written = [(entry["address"], entry["values"], entry["exception"]) for entry in torino.noted("controller", "write")]
    assert written[:3] == [(104, [1500], None), (104, [1801], 3), (104, [1400, 9999], 3)]
    assert written[-1] == (0, [0], None)
    wait_until(lambda: len(torino.noted("controller", "disconnect")) == 1, "the connection's end is noted")
    assert len(torino.noted("controller", "connect")) == 1
    assert torino.noted("controller", "connect")[0]["peer"].startswith("192.168.10.2:")
    assert len(nagoya.noted("controller", "write")) == before


def test_s7_reads_writes_and_clamps_the_speed(two_plants: TwoPlants) -> None:
    torino, nagoya = (plant.client("s7") for plant in two_plants)
    assert (torino["name"], nagoya["name"]) == ("Torino press line 3", "Nagoya press line 3")
    assert torino["strokes"] != nagoya["strokes"]
    assert torino["note"] == "note"
    assert torino["setpoint"] == 3000.0
    writes = two_plants[0].noted("drives", "write")
    assert [(entry["db"], entry["start"], entry["value"]) for entry in writes] == [
        (1, 4, "44424000"),  # 777.0
        (1, 64, b"note".hex()),
        (1, 4, "47c34f80"),  # 99999.0
    ]
    wait_until(lambda: len(two_plants[0].noted("drives", "disconnect")) == 1, "the connection's end is noted")
    assert [entry["peer"] for entry in two_plants[0].noted("drives", "connect")] == ["192.168.10.2"]


def test_opcua_reads_writes_calls_and_answers_its_own_address(two_plants: TwoPlants) -> None:
    torino, nagoya = (plant.client("opcua") for plant in two_plants)
    assert (torino["name"], nagoya["name"]) == ("Torino press line 3", "Nagoya press line 3")
    assert torino["setpoint"] == 123.0
    assert torino["refused"] == ["BadOutOfRange", "BadUserAccessDenied"]
    assert (torino["started"], torino["too_fast"]) == (True, False)
    assert set(torino["endpoints"]) == {"opc.tcp://192.168.10.13:4840/press3"}
    writes = two_plants[0].noted("press", "write")
    assert [entry["accepted"] for entry in writes] == [True, False, False, True, False]
    wait_until(lambda: len(two_plants[0].noted("press", "disconnect")) == 1, "the connection's end is noted")
    assert len(two_plants[0].noted("press", "connect")) == 1


def test_a_setpoint_written_by_opcua_shows_on_the_panel(two_plants: TwoPlants) -> None:
    nagoya = two_plants[1]
    nagoya.client("opcua")
    assert json.loads(nagoya.run("curl", "-sf", "http://192.168.10.15/values"))["temperature_setpoint_c"] == 123.0


def ssh_options(plant: RunningPlant) -> list[str]:
    known = plant.folder / "known_hosts"
    options = ("StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={known}", "BatchMode=yes", "IdentitiesOnly=yes")
    return ["-F", "/dev/null", "-i", str(plant.folder / "technician"), *(f"-o{option}" for option in options)]


def test_ssh_runs_commands_and_returns_their_status(two_plants: TwoPlants) -> None:
    for plant in two_plants:
        status = plant.run("ssh", "-n", *ssh_options(plant), "operator@192.168.10.14", "status")
        assert f"name: {plant.name}\n" in status
    missing = two_plants[0].run(
        "sh",
        "-c",
        '"$@" 2>&1; echo "status $?"',
        "-",
        "ssh",
        "-n",
        *ssh_options(two_plants[0]),
        "operator@192.168.10.14",
        "rm",
    )
    assert missing.endswith("status 127\n")


@pytest.mark.parametrize("old", [(), ("-O",)], ids=["sftp", "legacy"])
def test_scp_copies_both_ways_and_answers_zero(two_plants: TwoPlants, old: tuple[str, ...]) -> None:
    plant = two_plants[0]
    payload = bytes(range(256)) * 4096
    (plant.folder / "firmware.bin").write_bytes(payload)
    name = f"firmware{len(old)}.bin"
    options = [*old, "-q", *ssh_options(plant)]
    plant.run("scp", *options, str(plant.folder / "firmware.bin"), f"operator@192.168.10.14:{name}")
    plant.run("scp", *options, f"operator@192.168.10.14:{name}", str(plant.folder / "back.bin"))
    assert (plant.folder / "back.bin").read_bytes() == payload
    digest = plant.run("ssh", "-n", *ssh_options(plant), "operator@192.168.10.14", f"sha256sum {name}")
    assert digest.split()[0] == hashlib.sha256(payload).hexdigest()
    assert any(entry["path"].endswith(name) for entry in plant.noted("maintenance-pc", "write"))


def test_sftp_stays_inside_its_folder(two_plants: TwoPlants) -> None:
    plant = two_plants[1]
    batch = plant.folder / "batch"
    batch.write_text(
        f"get recipe-17.csv {plant.folder}/recipe\n-get ../../../../../../../etc/passwd {plant.folder}/stolen\n"
    )
    plant.run("sftp", "-q", *ssh_options(plant), "-b", str(batch), "operator@192.168.10.14")
    assert "Nagoya press line 3" in (plant.folder / "recipe").read_text()
    assert not (plant.folder / "stolen").exists()
