# SPDX-License-Identifier: Apache-2.0
"""Whichever part dies, freezes or loses its network: people carry on, live sessions survive, nothing is lost or
doubled, and afterwards all sides agree.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.demo.main_job import HeldSession, cut
from tests.integration.cluster.cluster import NODES, RELAYS, WEBS, WORKERS
from tests.integration.cluster.validator import disagreements, figures
from tests.integration.cluster.visit import BYTES, Visit
from tests.integration.path.tool import SOON_S, ask, closed_within, tool_at

pytestmark = [pytest.mark.netns, pytest.mark.slow]
HOW = ("killed", "frozen", "cut off")


@contextlib.contextmanager
def working(visit: Visit, file: Path, rate: str) -> Iterator[HeldSession]:
    """A session with a download in it, which must be whole in the end, over the one connection to the device."""
    before = visit.connections()
    with visit.held() as held, visit.download(held, file, rate) as download:
        visit.cluster.until(lambda: download.size > BYTES // 20, "the download begins")
        yield held
        assert download.is_whole()
    assert visit.connections() == before + 1


def a_new_session_works(visit: Visit) -> None:
    """The tool may be turned away while another worker takes over: it tries again, as tools do."""

    def answered() -> bool:
        with contextlib.suppress(ConnectionError, TimeoutError, IndexError):
            with socket.create_connection(held.doors["modbus"], timeout=SOON_S) as tool:
                ask(tool)
            return True
        return False

    with visit.held() as held:
        visit.cluster.until(answered, "the device answers", seconds=30)


def carrying(visit: Visit) -> str:
    """The relay through which bytes go now."""
    return next(name for name in RELAYS if figures(visit.cluster, name)["pairs"])


def test_two_web_processes_are_one_console(visit: Visit) -> None:
    """Signed in at one, known to the other; every page is answered by both in turn."""
    assert all(visit.page(path) for path in ("/", "/sessions/", "/gateways/", "/events/") for _ in WEBS)
    visit.settles()


def test_a_session_is_cut_from_either_web_process(visit: Visit) -> None:
    for _ in WEBS:
        with visit.held() as held, tool_at(held.doors["modbus"]) as tool:
            cut(visit.cluster, "Owner", held.session, "test")
            closed_within(tool, 10)
            visit.cluster.until(lambda held=held: visit.state(held.session)["state"] == "ended")  # type: ignore[misc]
            assert visit.state(held.session)["proven_cut"]


@pytest.mark.parametrize("how", HOW)
def test_a_web_process_is_away(visit: Visit, tmp_path: Path, how: str) -> None:
    with working(visit, tmp_path / "file", "6M"), visit.cluster.without("web-1", how):
        pages = lambda: all(visit.page() for _ in range(6))  # noqa: E731 - HAProxy needs two missed checks to notice
        visit.cluster.until(pages, "the other one answers all", seconds=30)
        a_new_session_works(visit)
    visit.settles()


@pytest.mark.parametrize("how", HOW)
def test_the_leading_worker_is_away(visit: Visit, tmp_path: Path, how: str) -> None:
    leader = visit.cluster.until(visit.cluster.leader, "one leads")
    other = next(name for name in WORKERS if name != leader)
    with working(visit, tmp_path / "file", "3M"), visit.cluster.without(leader, how):
        visit.cluster.until(lambda: "worker.leading" in tail(visit, other), "the other one leads", seconds=30)
        a_new_session_works(visit)
    visit.settles()
    assert visit.page("/sessions/")


def tail(visit: Visit, name: str) -> str:
    """Since it last waited for its turn."""
    return visit.cluster.processes.log(name).read_text(errors="replace").rpartition("worker.waiting")[2]


@pytest.mark.parametrize("how", HOW)
def test_the_relay_that_carries_a_session_is_away(visit: Visit, tmp_path: Path, how: str) -> None:
    with working(visit, tmp_path / "file", "4M"), visit.cluster.without(carrying(visit), how):
        a_new_session_works(visit)
    visit.settles()


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_the_bus_is_away(visit: Visit, tmp_path: Path, how: str) -> None:
    """Nobody can say anything to relays and gateways; what runs goes on, and then everything is as it was."""
    cluster = visit.cluster
    with working(visit, tmp_path / "file", "4M"):
        if how == "killed":
            cluster.kill("bus")
            assert visit.page("/sessions/")
            cluster.start_bus()
        else:
            cluster.processes.kill("bus", signal.SIGSTOP)
            assert visit.page("/sessions/")
            cluster.processes.kill("bus", signal.SIGCONT)
        cluster.until(lambda: cluster.leader(), "a worker leads")
    visit.settles()
    a_new_session_works(visit)


def test_the_database_dies_and_recovers(visit: Visit, tmp_path: Path) -> None:
    cluster = visit.cluster
    with working(visit, tmp_path / "file", "4M"):
        cluster.database.kill()
        assert not visit.page()
        cluster.start_database()
        cluster.until(visit.page, "pages are answered again")
    visit.settles()
    a_new_session_works(visit)


def test_every_part_is_replaced_under_a_live_session(visit: Visit, tmp_path: Path) -> None:
    """A rolling upgrade: one process after the other is stopped in order and started anew."""
    with working(visit, tmp_path / "file", "2M") as held, tool_at(held.doors["modbus"]) as tool:
        for name in NODES:
            visit.cluster.processes.stop(name)
            visit.cluster.start(name)
            visit.cluster.until(visit.page, f"pages are answered while {name} is replaced")
            visit.cluster.until(lambda name=name: not missing(visit, name), f"{name} is back")  # type: ignore[misc]
            ask(tool)
    visit.settles()


def missing(visit: Visit, name: str) -> list[str]:
    """What all sides do not agree on, now that it should be back."""
    return [fault for fault in disagreements(visit.cluster) if fault.startswith("links")] if name in RELAYS else []
