# SPDX-License-Identifier: Apache-2.0
"""``status.json``: what `portineria gateway status` shows of the running process, which listens on no network."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import structlog

import portineria
from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.link import Links
from portineria.dataplane.gateway.session import Session
from portineria.dataplane.gateway.spool import Spool
from portineria.ledger.keeping import Reason
from portineria.wire.frame import BadFrame

log = structlog.get_logger()


class LinkStatus(msgspec.Struct, frozen=True):
    """``opened_by``: who decrypts the outer layer of the path, when somebody does."""

    relay: str
    since_s: int
    opened_by: str | None = None


class SessionStatus(msgspec.Struct, frozen=True):
    session: str
    streams: int
    state: Literal["open", "draining", "waiting-for-lease"]
    seconds_left: int


class RegisterStatus(msgspec.Struct, frozen=True):
    """``size``: of the newest checkpoint kept. ``confirmed_ms``: when the control plane last showed one that fits it,
    0 since the start. ``contradicted``: why others do not, those that nobody accepted.
    """

    size: int
    confirmed_ms: int
    contradicted: list[Reason]


class Status(msgspec.Struct, frozen=True):
    """``boot_s``: CLOCK_BOOTTIME at writing, so that a reader sees its age. ``time``: trusted Unix ms, 0 if unknown."""

    pid: int
    version: str
    boot_s: float
    gateway: str
    admission: str
    time: int
    certificate_ends_ms: int
    reach_fault: str
    cut: bool
    links: list[LinkStatus]
    link_faults: dict[str, str]
    sessions: list[SessionStatus]
    events_waiting: int
    events_bytes: int
    full: bool
    register: RegisterStatus


class Self(NamedTuple):
    gateway: str
    admission: str
    time: int
    certificate_ends_ms: int
    reach_fault: str
    cut: bool


def status_of(about: Self, links: Links, sessions: list[Session], spool: Spool, register: RegisterStatus) -> Status:
    now = asyncio.get_running_loop().time()
    return Status(
        os.getpid(), portineria.__version__, boot_s(), *about,
        links=[LinkStatus(link.relay.relay, round(now - link.since), link.opened_by) for link in links.up],
        link_faults=dict(links.faults), sessions=[_session_status(session) for session in sessions],
        events_waiting=spool.count, events_bytes=spool.bytes, full=spool.full, register=register,
    )  # fmt: skip


def _session_status(session: Session) -> SessionStatus:
    name, permit, now = session.order.session, session.permit, boot_s()
    if permit.leased and permit.draining(now) is not None:
        return SessionStatus(name, session.load, "draining", round(max(permit.stops_at - now, 0)))
    state: Literal["open", "waiting-for-lease"] = "open" if permit.lease_until > now else "waiting-for-lease"
    return SessionStatus(name, session.load, state, round(max(permit.expires - now, 0)))


async def write_statuses(path: Path, status: Callable[[], Status], *, every_s: float) -> None:
    """For ever."""
    while True:
        try:
            write_status(path, status())
        except OSError as error:  # a full disk must not stop what runs
            log.warning("status.failed", why=str(error))
        await asyncio.sleep(every_s)


def write_status(path: Path, status: Status) -> None:
    """Atomically; not synced, as it is worthless after a power cut."""
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(msgspec.json.encode(status))
    new.replace(path)


def read_status(path: Path) -> Status | None:
    """Raises BadFrame for what another version wrote."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadFrame(f"{path} is not what this version writes") from error
