# SPDX-License-Identifier: Apache-2.0
"""A session of the ``world`` that was worked in and has ended, as its gateway reports it."""

from __future__ import annotations

from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.reports import receive
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.world import World

SHA256 = "ab" * 32


def worked(world: World, *, target: str = "holding 104", before: str = "120", after: str = "180") -> Session:
    world.link()
    session = accepted(world, started(world))
    said = world.gateway.say
    name = session.public_id
    place: dict[str, str | int] = {"service": "svc_1", "address": "192.168.10.5", "port": 502, "transport": "tcp"}
    write: dict[str, str | int] = {
        "service": "svc_1", "protocol": "modbus", "function": "write-single-register", "operation": "write",
    }  # fmt: skip
    reports = [
        said("stream.opened", name, stream="str_1", **place),
        said("operation.refused", name, count=2, code="5", targets="coil 0", route="", reason="function",
             stream="str_1", profile="operate", **(write | {"function": "write-single-coil"})),
        said("session.ended", name, ending="cut", reason="cut-by-person", streams=1, to_device=10, from_device=20,
             order_sha256=bytes(session.order_sha256).hex()),
        said("work.done", name, count=3, refused=0, noted=0, unconfirmed=1, **write),
        said("work.changed", name, code="6", targets=target, route="", before=before, after=after, count=3,
             unconfirmed=1, **write),
        said("work.transferred", name, service="svc_1", protocol="s7comm", operation="program-write",
             targets="block db 1", route="", content_sha256=SHA256, bytes=216, whole=True, into_device=True),
        said("work.transferred", name, service="svc_1", protocol="dnp3", operation="file", targets="file logs/a.b",
             route="outstation 10", content_sha256="cd" * 32, bytes=90, whole=False, into_device=False),
        said("session.worked", name, operations=5, refused=2, functions=1, changes=1, blocks=2, beyond=0),
        said("recording.withheld", name, recording="rec_1", service="svc_1", cut_rule="ftp.password", count=2,
             bytes=15),
    ]  # fmt: skip
    receive(world.gateway.id, reports)
    return again(session)
