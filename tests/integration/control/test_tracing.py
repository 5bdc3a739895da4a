# SPDX-License-Identifier: Apache-2.0
"""Spans of a request, its decisions and its session, as a collector gets them; and what a missing collector costs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from portineria.control.access.models import AccessRequest
from portineria.control.remote_sessions.models import Session
from portineria.control.settings.server import ServerSettings
from portineria.control.settings.start import current
from portineria.control.tracing import span_id, trace_id, tracing
from tests.integration.control.sessions import accepted, report, started
from tests.integration.control.world import World


class Collector:
    """Of OTLP over HTTP, as protobuf."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []

    @contextlib.contextmanager
    def serving(self) -> Iterator[ServerSettings]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.bodies.append(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_port}/v1/traces"
            try:
                yield msgspec.structs.replace(current(), traces=address)
            finally:
                server.shutdown()


def ended(world: World) -> Session:
    session = started(world)
    accepted(world, session)
    return report(world, "session.ended", session, ending="finished", reason="finished")


@pytest.mark.sqlite
def test_a_request_its_decision_and_its_session_are_one_trace(committed_world: World) -> None:
    committed_world.link()
    collector = Collector()
    with collector.serving() as settings, tracing(settings):
        session = ended(committed_world)
    request = AccessRequest.objects.get().public_id
    spans = {span.name: span for span in collector.spans}
    assert sorted(span.name for span in collector.spans) == ["decision", "request", "session", "ticket"]
    assert {span.trace_id for span in collector.spans} == {trace_id(request).to_bytes(16)}
    whole = span_id(request).to_bytes(8)
    assert (spans["request"].span_id, spans["request"].parent_span_id) == (whole, b"")
    assert {spans[name].parent_span_id for name in ("decision", "ticket", "session")} == {whole}
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in collector.spans)
    assert spans["decision"].end_time_unix_nano <= spans["session"].start_time_unix_nano
    said = {each.key: each.value for span in collector.spans for each in span.attributes}
    assert (said["portineria.outcome"].string_value, said["portineria.approved"].bool_value) == ("approved", True)
    assert (said["portineria.session"].string_value, said["portineria.ending"].string_value) == (
        session.public_id,
        "finished",
    )
    sent = b"".join(collector.bodies)
    for name in (session.person.email, session.person.public_id, session.machine.name, session.machine.public_id):
        assert name.encode() not in sent


@pytest.mark.sqlite
def test_a_collector_that_is_away_holds_nobody_up(committed_world: World) -> None:
    committed_world.link()
    with tracing(msgspec.structs.replace(current(), traces="http://127.0.0.1:9/v1/traces")):
        assert ended(committed_world).ending == "finished"
