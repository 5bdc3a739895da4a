# SPDX-License-Identifier: Apache-2.0
"""Where Prometheus reads the figures of this process, and whoever keeps processes running asks how it is.

A listener of its own, apart from everything that people and gateways reach, and only where the settings name an
address. It answers /metrics, /livez (this process still turns) and /readyz (what keeps it from its work, if anything).
"""

import asyncio
import concurrent.futures
import io
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO, TypeVar
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog

import portineria
from portineria.core.errors import Unavailable
from portineria.process.figures import BUILD, READY, Figure, Read, Sample, counts
from portineria.process.settings import BadSettings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

T = TypeVar("T")
_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
log = structlog.get_logger()
_ANSWER_S = 2.0  # a loop that does not turn within this time is not alive
_REQUEST_S = 5.0
_AT_ONCE = 8  # readers; who comes beyond them is hung up on
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")


class NoMetricsPort(Unavailable):
    code = "process.metrics.port"


class LoopStuck(Unavailable):
    code = "process.loop.stuck"


@dataclass(frozen=True, slots=True)
class Telling:
    """``read`` and ``causes`` are called from the listener's threads. ``causes``: words for what is wrong now."""

    part: str
    read: Read
    causes: Callable[[], list[str]]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def alive(self) -> bool:
        try:
            of_loop(self.loop, lambda: None)
        except LoopStuck:
            return False
        return True


def of_loop(loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> T:
    """What ``work`` returns, done in the loop's own thread: what is read there changes there. Raise LoopStuck."""

    async def working() -> T:
        return work()

    coroutine = working()
    try:
        asked = asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError as error:  # it is closed
        coroutine.close()
        raise LoopStuck("the process ends") from error
    try:
        return asked.result(_ANSWER_S)
    except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError) as error:
        asked.cancel()
        raise LoopStuck("the event loop does not answer") from error


class MetricsListener:
    """``close`` it before the loop ends."""

    def __init__(self, server: WSGIServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def listen(address: str, telling: Telling, *, anywhere: bool = True) -> MetricsListener | None:
    """None without an address. ``anywhere``: loopback otherwise. Raise BadSettings, NoMetricsPort."""
    if not address:
        return None
    host, port = _place(address, anywhere=anywhere)
    try:
        server = _Server(":" in host, (host, port), _Handler)
    except OSError as error:
        raise NoMetricsPort(f"metrics {address}: {error.strerror}; choose another port in metrics") from error
    server.set_app(_application(telling))
    listener = MetricsListener(server)
    log.info("metrics.listening", address=f"{host}:{listener.port}")
    return listener


def _place(text: str, *, anywhere: bool) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        raise BadSettings(f"metrics: {text!r} is not ADDRESS:PORT, like 127.0.0.1:9464") from error
    if not port.isdecimal() or int(port) > 65535:
        raise BadSettings(f"metrics: {text!r} is not ADDRESS:PORT, like 127.0.0.1:9464")
    if not (anywhere or address.is_loopback):
        raise BadSettings(f"metrics: {text!r} is not loopback, and a gateway listens nowhere else")
    return str(address), int(port)


class _Server(WSGIServer):
    """At most so many readers at a time, each in a thread."""

    def __init__(self, six: bool, place: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if six else socket.AF_INET
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(place, handler)

    def server_bind(self) -> None:
        """Without asking DNS for our own name, as http.server does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of readers linger behind a stop
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        threading.Thread(target=self._serve, args=(request, client_address), name="metrics", daemon=True).start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError as error:  # who asked hung up, or said nothing in time
            log.debug("metrics.reader.lost", why=str(error))
        finally:
            self.shutdown_request(request)
            self._room.release()


class _Handler(WSGIRequestHandler):
    timeout = _REQUEST_S

    def log_message(self, *_said: object) -> None:
        """Who reads figures every few seconds is no news."""

    def get_stderr(self) -> TextIO:
        """Where wsgiref writes a trace of what broke."""
        return _Broken()


class _Broken(io.StringIO):
    def write(self, text: str) -> int:
        if text.strip():
            log.error("metrics.broken", trace=text)
        return len(text)


def _application(telling: Telling) -> _Application:
    try:
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, make_wsgi_app
    except ImportError as error:
        raise BadSettings("metrics need more of Portineria: pip install 'portineria[metrics]'") from error
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_Collector(telling))
    metrics: _Application = make_wsgi_app(registry)

    def _figures(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return metrics(environ, start)
        except LoopStuck:
            return _say(start, "503 Not Alive", "loop")

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _say(start, "405 Method Not Allowed", "GET only")
        if environ["PATH_INFO"] == "/metrics":
            return _figures(environ, start)
        if environ["PATH_INFO"] == "/livez":
            return _say(start, "200 OK", "ok") if telling.alive() else _say(start, "503 Not Alive", "loop")
        if environ["PATH_INFO"] == "/readyz":
            causes = telling.causes()
            return _say(start, "503 Not Ready", *causes) if causes else _say(start, "200 OK", "ok")
        return _say(start, "404 Not Found", "/metrics, /livez, /readyz")

    return answer


def _say(start: Callable[..., Any], status: str, *lines: str) -> Iterable[bytes]:
    start(status, [_PLAIN])
    return [f"{line}\n".encode() for line in lines]


class _Collector:
    """Reads when it is asked; a scrape that cannot read everything is no scrape, and Prometheus says so."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[Figure, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in self._samples():
            figure = sample.figure
            if figure not in families:
                shape = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
                families[figure] = shape(figure.name, figure.help, labels=figure.labels)
            families[figure].add_metric(list(sample.labels), sample.value)
        yield from families.values()

    def _samples(self) -> Iterator[Sample]:
        yield BUILD.of(1, self._telling.part, portineria.__version__)
        yield READY.of(not self._telling.causes())
        yield from counts.read()
        yield from self._telling.read()
