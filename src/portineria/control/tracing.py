# SPDX-License-Identifier: Apache-2.0
"""Traces for OpenTelemetry: one for each request, from the asking over every decision to the end of each session.

They are written from the rows once something is in the register, hours apart and by whichever process wrote it: the id
of a trace follows from the request's, so nothing has to be carried along. No person, machine or address is in them.
"""

import contextlib
import hashlib
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from django.db import DatabaseError, close_old_connections

import portineria
from portineria.control.access.models import AccessRequest, Approval
from portineria.control.audit import services as audit
from portineria.control.remote_sessions.models import Session
from portineria.control.settings.server import ServerSettings
from portineria.core.event import Value
from portineria.process.settings import BadSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

log = structlog.get_logger()
WAITING = 1000  # events; a trace that finds no place is not written, and nobody waits for it
# What ends the part that is then written.
DECIDED = frozenset({"access.request.agreed", "access.request.approved", "access.request.refused"})
OVER = frozenset({
    "access.request.approved", "access.request.refused", "access.request.cancelled", "access.request.expired",
    "access.request.lapsed",
})  # fmt: skip
TICKET, SESSION = "order.accepted", "session.ended"
_END_S = 5.0


def trace_id(request: str) -> int:
    return int.from_bytes(hashlib.sha256(f"trace {request}".encode()).digest()[:16])


def span_id(request: str) -> int:
    """Of the span that all others of this request belong to."""
    return int.from_bytes(hashlib.sha256(f"span {request}".encode()).digest()[:8])


@dataclass(slots=True)
class _Naming:
    """``request``: whose own span is about to begin; set by the one thread that writes."""

    request: str = ""


def _ids(naming: _Naming) -> "IdGenerator":
    """Random, but for the span of a request itself."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return trace_id(naming.request) if naming.request else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return span_id(naming.request) if naming.request else super().generate_span_id()

    return Ids()


@contextlib.contextmanager
def tracing(settings: ServerSettings) -> Iterator[None]:
    """Raise BadSettings. Does nothing where no collector is named."""
    if not settings.traces:
        yield
        return
    naming = _Naming()
    writer = _Writer(_provider(settings.traces, naming), naming)
    audit.follow(writer.hear)
    try:
        yield
    finally:
        audit.follow(None)
        writer.close()


def _provider(address: str, naming: _Naming) -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise BadSettings("traces need more of Portineria: pip install 'portineria[otel]'") from error
    told = Resource({"service.name": "portineria", "service.version": portineria.__version__})
    provider = TracerProvider(resource=told, id_generator=_ids(naming), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=_END_S)))
    return provider


class _Writer:
    def __init__(self, provider: "TracerProvider", naming: _Naming) -> None:
        self._provider, self._naming = provider, naming
        self._tracer = provider.get_tracer("portineria")
        self._waiting: queue.Queue[tuple[str, str] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def hear(self, code: str, fields: Mapping[str, Value]) -> None:
        about = str(fields.get("request" if code.startswith("access.") else "session", ""))
        if code == TICKET and fields.get("order_seq") != 1:
            return  # of an extension
        if code in DECIDED | OVER | {TICKET, SESSION} and about:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait((code, about))

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_END_S)
        self._provider.shutdown()

    def _run(self) -> None:
        while (one := self._waiting.get()) is not None:
            try:
                self._write(*one)
            except DatabaseError as error:
                log.warning("traces.database", why=str(error))
            finally:
                close_old_connections()

    def _write(self, code: str, about: str) -> None:
        if code in (TICKET, SESSION):
            self._of_session(code, Session.objects.select_related("grant__request").filter(public_id=about).first())
            return
        request = AccessRequest.objects.filter(public_id=about).first()
        if request is None:
            return
        last = Approval.objects.filter(request=request).order_by("decided_at").last()
        if code in DECIDED and last is not None:
            self._span(request.public_id, "decision", request.made_at, last.decided_at, approved=last.approved)
        if code in OVER:
            at = last.decided_at if last is not None and code in DECIDED else None
            self._whole(request, code.rpartition(".")[2], at)

    def _of_session(self, code: str, row: Session | None) -> None:
        if row is None:
            return
        request, ids = row.grant.request.public_id, {"session": row.public_id}
        if code == TICKET:
            self._span(request, "ticket", row.requested_at, row.live_at, **ids)
        else:
            self._span(request, "session", row.requested_at, row.ended_at, ending=row.ending, **ids)

    def _whole(self, request: AccessRequest, outcome: str, end: datetime | None) -> None:
        from opentelemetry.context import Context

        self._naming.request = request.public_id
        try:
            span = self._tracer.start_span(
                "request", Context(), attributes={"portineria.outcome": outcome}, start_time=_ns(request.made_at)
            )
        finally:
            self._naming.request = ""
        span.end(_ns(end) if end is not None else None)

    def _span(self, request: str, name: str, begin: datetime, end: datetime | None, **attributes: str | bool) -> None:
        named = {f"portineria.{key}": value for key, value in attributes.items()}
        span = self._tracer.start_span(name, _below(request), attributes=named, start_time=_ns(begin))
        span.end(_ns(end) if end is not None else None)


def _below(request: str) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    whole = SpanContext(trace_id(request), span_id(request), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(whole), Context())


def _ns(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
