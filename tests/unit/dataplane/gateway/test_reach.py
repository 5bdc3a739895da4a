# SPDX-License-Identifier: Apache-2.0
import ipaddress
import os
from pathlib import Path

import pytest

from portineria.dataplane.gateway.reach import (
    BadReach,
    ReachList,
    parse_address,
    read_reach,
    read_reach_argument,
    write_reach,
)


@pytest.mark.parametrize(
    ("text", "address", "port", "covered"),
    [
        ("192.168.10.0/24:502,102", "192.168.10.7", 102, True),
        ("192.168.10.0/24:502,102", "192.168.11.7", 102, False),
        ("192.168.10.0/24:20000-20010", "192.168.10.7", 20010, True),
        ("192.168.10.0/24:20000-20010", "192.168.10.7", 20011, False),
        ("192.168.10.7:502", "192.168.10.7", 502, True),
        ("[fd00::/64]:502", "fd00::7", 502, True),
        ("[fd00::/64]:502", "192.168.10.7", 502, False),
    ],
)
def test_an_entry_covers_its_network_and_ports(text: str, address: str, port: int, covered: bool) -> None:
    assert read_reach_argument(text).covers(ipaddress.ip_address(address), port) is covered


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:9-8", "10.0.0.1/24:5", "plc:502"]
)
def test_what_is_no_entry_is_refused(text: str) -> None:
    with pytest.raises(BadReach):
        read_reach_argument(text)


def test_a_list_reads_back_as_it_was_written(tmp_path: Path) -> None:
    entries = tuple(read_reach_argument(text) for text in ("10.0.0.0/8:502,20000-20010", "[fd00::/64]:102"))
    write_reach(tmp_path / "reach.toml", entries)
    assert read_reach(tmp_path / "reach.toml") == entries
    assert read_reach(tmp_path / "none.toml") == ()


def test_a_mapped_address_means_what_it_maps() -> None:
    assert parse_address("::ffff:127.0.0.1") == ipaddress.ip_address("127.0.0.1")
    assert parse_address("plc.example") is None


def test_a_changed_file_counts_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "reach.toml"
    watched = ReachList(path)
    assert watched.refuses("203.0.113.9", 502) == "reach.refused"
    write_reach(path, (read_reach_argument("203.0.113.0/24:502"),))
    assert watched.refresh()
    assert not watched.refresh()
    assert watched.refuses("203.0.113.9", 502) is None
    path.write_text("nonsense")
    os.utime(path, ns=(1, 1))
    assert watched.refresh()
    assert watched.refuses("203.0.113.9", 502) == "reach.refused"
    assert "reach.toml" in watched.fault


def test_loopback_is_a_device_only_where_the_gateway_itself_says_so(tmp_path: Path) -> None:
    write_reach(tmp_path / "reach.toml", (read_reach_argument("127.0.0.0/8:1502"),))
    assert ReachList(tmp_path / "reach.toml").refuses("127.0.0.1", 1502) == "address.refused"
    demonstration = ReachList(tmp_path / "reach.toml", loopback_devices=True)
    assert demonstration.refuses("127.0.0.1", 1502) is None
    assert demonstration.refuses("127.0.0.1", 22) == "reach.refused"
    assert demonstration.refuses("169.254.1.1", 1502) == "address.refused"
