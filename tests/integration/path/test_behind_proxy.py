# SPDX-License-Identifier: Apache-2.0
"""The connector's whole command where the only way out is a corporate proxy: sign-in, list, request, session.

The technician's computer has a network of its own in which squid is all there is to dial, and names that squid alone
resolves: whatever arrives has gone through it.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from portineria.demo import read_write
from portineria.demo.namespace import Kind, PlantNetwork, available
from portineria.demo.stage import Stage
from portineria.demo.visitor import Visitor
from tests.integration.middlebox import ENCODED, NAME, Squid, free_port, squid
from tests.integration.path.laptop import Laptop, proxy_address, tunnels
from tests.integration.plant.running import free_base

CONSOLE = "console.example"
MACHINE = "Torino press 3"
TOOL = (sys.executable, str(read_write.__file__), "{address}", "{port}")


@dataclass
class Surroundings:
    stage: Stage
    network: PlantNetwork
    open: Squid
    guarded: Squid  # wants a name and a password
    browser: Visitor  # of the technician
    approver: Visitor
    laptops: int = 0

    @property
    def certificate(self) -> str:
        return str(self.stage.server_state / "console" / "certificate.pem")

    @property
    def place(self) -> str:
        """Of console and relay: one port."""
        return f"{CONSOLE}:{self.stage.port}"

    def laptop(self, **variables: str) -> Laptop:
        """A computer that was never signed in."""
        self.laptops += 1
        return Laptop(self.network, self.stage.state / f"laptop-{self.laptops}", variables)

    def sign_in(self, laptop: Laptop, *options: str) -> str:
        return laptop.sign_in(
            self.stage.public_url, self.browser, self.stage.console, "--ca", self.certificate, *options
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    if available().kind is Kind.NONE:
        pytest.skip(f"no network namespaces: {available().reason}")
    with PlantNetwork("laptop") as network:
        names, address = f"127.0.0.1 {CONSOLE}\n", proxy_address(network)
        with (
            squid(with_password=False, address=address, names=names) as proxy,
            squid(with_password=True, address=address, names=names) as guarded,
            pytest.MonkeyPatch.context() as patch,
        ):
            for one in (proxy, guarded):
                network.uplink(one.port)
            patch.setenv("https_proxy", proxy.url())  # the gateway, too, knows the relay by its name only
            state = tmp_path_factory.mktemp("stage")
            stage = Stage(
                state, free_port(), lambda text: None, kind=Kind.NONE, public_name=CONSOLE, loopback=free_base()
            )
            try:
                stage.open()
                yield Surroundings(
                    stage, network, proxy, guarded, stage.person("Technician"), stage.person("Shift leader")
                )
            finally:
                stage.close()


def _approved(world: Surroundings, request: str) -> None:
    page = world.approver.get(f"/requests/{request}/")
    assert world.approver.submit(page, page.form("approve")).status == 200


@pytest.mark.parametrize("how", ["open, by the environment", "password, by the environment", "password, by --proxy"])
def test_the_whole_command_goes_through_the_proxy(world: Surroundings, how: str) -> None:
    proxy = world.open if how.startswith("open") else world.guarded
    url = proxy.url() if proxy is world.open else proxy.url(ENCODED)
    laptop = world.laptop() if "--proxy" in how else world.laptop(HTTPS_PROXY=url)
    before = len(proxy.tunnels)
    assert "as Technician" in world.sign_in(laptop, *(["--proxy", url] if "--proxy" in how else []))
    assert [row["name"] for row in laptop.asked("machines")] == [MACHINE]
    made = laptop.asked("request", MACHINE, "--reason", "new drive", "--minutes", "30")
    _approved(world, made["request"])
    tool = laptop.run("connect", f"{MACHINE}/modbus", "--exec", *TOOL)
    assert tool.returncode == 0, tool.stderr
    assert "reads back 1500" in tool.stdout
    mine = [line for line in tunnels(proxy, before + 6) if f" CONNECT {world.place} " in line][before:]
    if proxy is world.guarded:
        assert all(f" {NAME} " in line for line in mine)


@pytest.mark.parametrize("credentials", ["", "plant:wrong", "stranger:ga%3Ate%20w%40y"])
def test_wrong_credentials_are_said_before_anybody_goes_to_the_browser(world: Surroundings, credentials: str) -> None:
    laptop = world.laptop(https_proxy=world.guarded.url(credentials))
    done = laptop.run("login", world.stage.public_url, "--no-browser", "--ca", world.certificate)
    assert (done.returncode, done.stdout) == (3, "")
    assert "The proxy wants a name and a password, or others than these." in done.stderr
    assert "https_proxy=" in done.stderr
    assert "--proxy" in done.stderr
    assert "wrong" not in done.stderr


def test_a_password_that_was_changed_is_said_by_every_command_and_signing_in_anew_repairs_it(
    world: Surroundings,
) -> None:
    laptop = world.laptop(HTTPS_PROXY=world.guarded.url(ENCODED))
    world.sign_in(laptop)
    laptop.variables["HTTPS_PROXY"] = world.guarded.url("plant:old")
    for words in (("machines",), ("request", MACHINE, "--reason", "x"), ("connect", MACHINE, "--exec", "true")):
        done = laptop.run(*words)
        assert (done.returncode, done.stdout) == (3, ""), words
        assert "The proxy wants a name and a password" in done.stderr, words
    laptop.variables.clear()
    world.sign_in(laptop, "--proxy", world.guarded.url(ENCODED))
    assert laptop.run("machines").returncode == 0


def test_no_proxy_is_heeded_and_nothing_else_leads_out(world: Surroundings) -> None:
    laptop = world.laptop(HTTPS_PROXY=world.open.url(), NO_PROXY=f"localhost,{CONSOLE}")
    before = len(world.open.tunnels)
    done = laptop.run("login", world.stage.public_url, "--no-browser", "--ca", world.certificate)
    assert done.returncode == 3
    assert f"There is no address for the server's name ({world.place})" in done.stderr
    laptop.variables.clear()
    assert laptop.run("login", world.stage.public_url, "--no-browser", "--ca", world.certificate).returncode == 3
    assert len(world.open.tunnels) == before
