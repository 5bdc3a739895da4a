# SPDX-License-Identifier: Apache-2.0
"""Local addresses and ports, and who may use them."""

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from portineria.dataplane.connector import same_person as same_person_module
from portineria.dataplane.connector.door import BadOffset, Door, NoPort, Service, loopback_addresses, open_doors
from portineria.dataplane.connector.same_person import owner, same_person

NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs another user: run as root")
MODBUS = Service("srv_1", "modbus", "modbus", 15020, "controller")
S7 = Service("srv_2", "s7", "s7", 11020, "drives")


@contextmanager
def doors_of(machine: str, *services: Service, offset: int = 0) -> Iterator[list[Door]]:
    doors = open_doors(machine, services, offset=offset)
    try:
        yield doors
    finally:
        for door in doors:
            door.listener.close()


def as_nobody(act: Callable[[], object]) -> object:
    """What ``act`` returns when a process without privileges runs it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(write, json.dumps(act()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said)


def test_a_service_keeps_its_port_and_its_address_from_session_to_session() -> None:
    with doors_of("mac_1", MODBUS) as [first]:
        assert first.port == 15020
        assert socket.inet_aton(first.address)[0] == 127
        again = first.address
    with doors_of("mac_1", MODBUS) as [second]:
        assert (second.address, second.port) == (again, 15020)


def test_two_plants_with_the_same_ports_are_open_at_once() -> None:
    with doors_of("mac_turin", MODBUS, S7) as turin, doors_of("mac_nagoya", MODBUS, S7) as nagoya:
        assert [door.port for door in turin] == [door.port for door in nagoya] == [15020, 11020]
        assert len({door.address for door in (*turin, *nagoya)}) == 4


def test_a_second_session_to_the_same_machine_gets_another_address() -> None:
    with doors_of("mac_1", MODBUS) as [first], doors_of("mac_1", MODBUS) as [second]:
        assert first.port == second.port == 15020
        assert first.address != second.address


def test_two_devices_with_the_same_port_are_told_apart_by_address() -> None:
    drive = Service("srv_3", "drive", "modbus", 15020, "drive")
    with doors_of("mac_1", MODBUS, drive) as [controller, other]:
        assert controller.port == other.port == 15020
        assert controller.address != other.address


def test_services_of_one_device_share_its_address() -> None:
    page = Service("srv_4", "page", "http", 18080, MODBUS.device)
    with doors_of("mac_1", MODBUS, page) as [modbus, http]:
        assert modbus.address == http.address


def test_a_port_that_is_taken_everywhere_moves_up_by_ten_thousand() -> None:
    held = [socket.create_server((address, 15020)) for address in loopback_addresses("mac_1", 0)]
    try:
        with doors_of("mac_1", MODBUS) as [door]:
            assert door.port == 25020
    finally:
        for listener in held:
            listener.close()


def test_the_offset_is_added_to_every_port() -> None:
    with doors_of("mac_1", MODBUS, S7, offset=1000) as doors:
        assert [door.port for door in doors] == [16020, 12020]


def test_an_offset_beyond_the_last_port_is_said_and_opens_none() -> None:
    with pytest.raises(BadOffset):
        open_doors("mac_1", [S7, MODBUS], offset=52_000)  # the first would fit
    with doors_of("mac_1", S7, offset=52_000) as [door]:
        assert door.port == 63020


def test_no_port_at_all_is_said_and_leaves_none_open() -> None:
    drives = list(loopback_addresses("mac_1", 1))
    with ExitStack() as held:
        for address in drives:
            for port in (11020, 21020, 31020, 41020):
                held.enter_context(socket.create_server((address, port)))
        with pytest.raises(NoPort):
            open_doors("mac_1", [MODBUS, S7])
        with doors_of("mac_1", MODBUS) as [door]:
            assert door.port == 15020


def test_elsewhere_everything_is_at_the_one_loopback_address() -> None:
    assert list(loopback_addresses("mac_1", 3, platform="darwin")) == ["127.0.0.1"]


@AS_ROOT
def test_a_privileged_port_moves_up_for_who_has_no_privilege_and_the_others_stay() -> None:
    telnet = Service("srv_5", "ssh", "ssh", 22, MODBUS.device)

    def ports() -> list[int]:
        # A namespace of its own may let everybody open any port; here the usual rule must hold.
        return [door.port for door in open_doors("mac_1", [telnet, MODBUS])]

    start = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    assert as_nobody(ports) == [22 if start <= 22 else 10022, 15020]


def test_my_own_connection_is_recognised_by_both_ways_of_asking() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as tool:
        accepted, _ = listener.accept()
        with accepted:
            ends = tool.getsockname(), tool.getpeername()
            assert same_person(accepted)
            assert owner(*ends) == os.getuid()
            listed = same_person_module._listed(*ends, Path("/proc/net/tcp").read_text())
            assert listed == os.getuid()


@AS_ROOT
def test_another_users_connection_is_known_for_what_it_is() -> None:
    """Asked by the kernel's diagnostics, by the table, and the other way round."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        stranger = subprocess.Popen(
            ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; read -u 3"], user=NOBODY, group=NOBODY, extra_groups=[]
        )
        try:
            accepted, _ = listener.accept()
            with accepted:
                ends = accepted.getpeername(), accepted.getsockname()
                assert owner(*ends) == NOBODY
                assert same_person_module._listed(*ends, Path("/proc/net/tcp").read_text()) == NOBODY
                assert not same_person(accepted)
                assert as_nobody(lambda: same_person(accepted)) is True
        finally:
            stranger.wait(10)


def test_who_has_gone_already_is_nobody() -> None:
    """An orphaned socket is listed under user 0, which must not pass for root."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tool = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            tool.close()
            assert not same_person(accepted)
