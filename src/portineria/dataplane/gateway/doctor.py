# SPDX-License-Identifier: Apache-2.0
"""What keeps a gateway from working, looked for from outside of its process. Changes nothing; blocks."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from cryptography import x509

from portineria.core.errors import PortineriaError
from portineria.dataplane.aio.dial import BadProxy, proxy_for
from portineria.dataplane.aio.tls import outer_context, reached_relay
from portineria.dataplane.gateway.__main__ import load_settings
from portineria.dataplane.gateway.reach import read_reach
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.state import NotEnrolled, Pinned, State, check_trust
from portineria.dataplane.gateway.status import Status, read_status
from portineria.doctor import machine, path
from portineria.doctor.finding import Finding, fault, ok, warning
from portineria.wire.leg import LINK_ALPN
from portineria.wire.statement import RelayAddress

_MIB = 1 << 20


def examine(state: State, surroundings: Mapping[str, str]) -> Iterator[Finding]:
    yield from _folder(state)
    try:
        settings = load_settings(state)
        pinned = state.load_pinned()
        check_trust(pinned)
    except NotEnrolled as error:
        yield fault(
            "enrolment", str(error), "This gateway belongs to no server yet.",
            "Make a code in the console, then: portineria gateway enrol URL CODE.",
        )  # fmt: skip
        return
    except PortineriaError as error:
        yield fault("settings", str(error), "The gateway does not start with this.", "Correct what is named.")
        return
    yield ok("enrolment", f"{pinned.trust.gateway} at {pinned.enrolled_at}")
    yield machine.room(state.directory, fault_mib=256, warning_mib=settings.recording_limit_bytes // _MIB)
    yield from _reach(state)
    yield machine.proxies(surroundings, used=settings.proxy is None)
    yield from _process(state)
    yield from _server(pinned, settings)
    for relay in pinned.trust.relays:
        yield from _relay(relay, pinned, settings)


def _folder(state: State) -> Iterator[Finding]:
    if not state.directory.is_dir():
        yield fault(
            "state", f"{state.directory} does not exist", "No gateway was enrolled here, or its folder is another one.",
            "Name it with --state, or enrol: portineria gateway enrol.",
        )  # fmt: skip
        return
    yield machine.writable(state.directory)
    for secret in (state.keys, state.settings, *sorted(state.keys.glob("*.pem"))):
        yield from machine.private(secret)


def _reach(state: State) -> Iterator[Finding]:
    try:
        entries = read_reach(state.reach)
    except PortineriaError as error:
        yield fault(
            "reach-list", str(error), "Nothing may be dialled while it cannot be read.", "Correct reach.toml."
        )  # fmt: skip
        return
    if entries:
        yield ok("reach-list", f"{len(entries)} entries", len(entries))
    else:
        yield fault(
            "reach-list", "it is empty", "The gateway may dial no device at all.",
            "portineria gateway reach add NETWORK:PORTS, for example 192.168.10.0/24:502.",
        )  # fmt: skip


def _process(state: State) -> Iterator[Finding]:
    status = read_status(state.status)
    if status is None or not state.in_use:
        yield fault(
            "process", "the gateway does not run", "Nobody reaches a machine behind it.",
            "systemctl start portineria-gateway; see journalctl -u portineria-gateway.",
        )  # fmt: skip
        return
    yield from _running(status)


def _running(status: Status) -> Iterator[Finding]:
    if status.admission not in ("", "admitted"):
        yield fault(
            "admission", status.admission, "The server does not let this gateway work.",
            "Compare the fingerprint (portineria gateway status) with the console's, and admit it there.",
        )  # fmt: skip
    if status.links:
        yield ok("process", f"running, {len(status.links)} links", len(status.links))
    else:
        yield fault(
            "links", "; ".join(f"{relay}: {said}" for relay, said in status.link_faults.items()) or "no link yet",
            "It runs and reaches no relay.", "See what is found on the way to the relays below.",
        )  # fmt: skip
    if status.full:
        yield fault(
            "spool", f"{status.events_waiting} events wait", "What cannot be recorded is not done: nothing new begins.",
            "Let it reach the server again, or enlarge spool_limit_bytes.", status.events_waiting,
        )  # fmt: skip
    if status.register.contradicted:
        yield fault(
            "register", "the server's register is not the one kept here", "It was put back from a backup, or changed.",
            "Ask the server's operator; then portineria gateway register (docs/howto/backup.md).",
        )  # fmt: skip


def _server(pinned: Pinned, settings: GatewaySettings) -> Iterator[Finding]:
    """Where it enrolled and renews. Whoever answers there proves itself; so its certificate is not looked at."""
    parts = urlsplit(pinned.trust.renew_url or pinned.enrolled_at)
    host, secure = parts.hostname or "", parts.scheme == "https"
    try:
        way = path.Way(host, parts.port or (443 if secure else 80), proxy_for(host, settings.proxy))
    except BadProxy as error:
        yield fault("proxy", str(error), "The gateway cannot leave this network.", "Correct `proxy` in gateway.toml.")
        return
    yield from path.tcp(way)
    yield from path.clock(way, secure=secure)


def _relay(relay: RelayAddress, pinned: Pinned, settings: GatewaySettings) -> Iterator[Finding]:
    """The same handshake as the gateway's own, and the same judgement of who answered."""
    issuer = x509.load_der_x509_certificate(pinned.trust.issuers["relay"])

    def judge(certificate: bytes) -> Iterator[Finding]:
        reached = reached_relay(certificate, issuer=issuer)
        if isinstance(reached, str):
            tell = warning if settings.allow_opened else fault
            yield tell(
                "path", f"{way}: opened by {reached}", "Somebody in between opens TLS; its certificate is not the one "
                "that the server's root vouches for.",
                "Have this address excepted from TLS inspection. If the owner bears it: allow_opened = true, nested "
                "= true; contents stay closed to it.",
            )  # fmt: skip
        elif reached.id != relay.relay:
            yield fault(
                "path", f"{way}: {reached.id} instead of {relay.relay}", "Another relay of the same server answers.",
                "Correct the address in `relays` of the server, or the forwarding in between.",
            )  # fmt: skip
        else:
            yield ok("path", f"{way}: {relay.relay} itself, opened by nobody")
            yield from path.lifetime(relay.relay, certificate)

    try:
        way = path.Way(relay.host, relay.port, proxy_for(relay.host, settings.proxy))
    except BadProxy:
        return  # said above
    yield from path.tls(way, judge, outer_context(LINK_ALPN))
