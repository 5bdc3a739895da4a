# SPDX-License-Identifier: Apache-2.0
"""What keeps a server from working. Changes nothing. Settings first: without them Django does not start."""

import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.control.settings import host_name
from portineria.control.settings.server import ServerSettings, is_loopback, load, split_address
from portineria.core.errors import PortineriaError
from portineria.doctor import machine, path
from portineria.doctor.finding import Finding, fault, ok, warning
from portineria.process.lock import held
from portineria.process.settings import BadSettings

_FAULT_MIB, _WARNING_MIB = 512, 4096
_SECRETS = ("master.key", "portineria.toml", "console/key.pem", "nats")


def examine(state: Path, surroundings: Mapping[str, str]) -> Iterator[Finding]:
    try:
        settings = load(state)
    except BadSettings as error:
        yield fault("settings", str(error), "The server does not start with this.", "Correct what is named.")
        return
    yield ok("settings", f"{settings.public_url}, {len(settings.places())} relays")
    if number := host_name.numbered(settings):
        yield warning("host-name", number, host_name.MEANS, host_name.REMEDY)
    if not state.is_dir():
        yield fault(
            "state", f"{state} does not exist", "No server was set up here, or its folder is another one.",
            "Name it with --state, or begin: portineria setup.",
        )  # fmt: skip
        return
    yield machine.writable(state)
    for name in _SECRETS:
        yield from machine.private(state / name)
    yield machine.room(state, fault_mib=_FAULT_MIB, warning_mib=_WARNING_MIB)
    yield machine.proxies(surroundings, used=True)
    yield from _ports(settings)
    yield from _console(settings)
    yield from _outside(settings)
    yield from _inside(settings)


def _ports(settings: ServerSettings) -> Iterator[Finding]:
    running = relays_run(settings.state)
    for place in settings.places():
        for address in place.addresses:
            yield machine.port(*split_address(address), ours=running)


def relays_run(state: Path) -> bool:
    """Each relay of this installation holds its lock while it runs."""
    return any(held(lock) for lock in (state / "relays").glob("*/lock"))


def _console(settings: ServerSettings) -> Iterator[Finding]:
    """The certificate in the file, then what comes back when the console is asked as everybody does."""
    own = _own_certificate(settings)
    if isinstance(own, Finding):
        yield own
        own = b""
    elif own:
        yield from path.lifetime("console_certificate", own)
        yield from _named(settings.host, own)
    if not settings.bus and not relays_run(settings.state):
        yield fault(
            "process", "the server does not run", "Nobody comes in, and gateways hear nothing.",
            "portineria serve; as a service see systemctl status and journalctl.",
        )  # fmt: skip
        return
    if not settings.secure:
        return
    way = path.Way(settings.host, settings.port)

    def judge(shown: bytes) -> Iterator[Finding]:
        if own and shown != own:
            yield fault(
                "path", f"{way} shows another certificate than console_certificate",
                "Somebody in between opens TLS, or another server has this address.",
                "See where the name leads, and which proxy or load balancer answers in our place.",
            )  # fmt: skip
        elif own:
            yield ok("path", f"{way} shows our own certificate")

    yield from path.tls(way, judge)
    if settings.console_certificate and relays_run(settings.state):
        yield from path.verified(way)


def _own_certificate(settings: ServerSettings) -> bytes | Finding:
    """DER of the first one; empty before the first start of a server without one."""
    file = settings.console_certificate or settings.state / "console" / "certificate.pem"
    try:
        certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
        if settings.console_key:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, settings.console_key)
    except FileNotFoundError as error:
        if settings.console_certificate is None:
            return b""
        return fault("certificate", f"{error.filename} does not exist", "The console has no TLS.", "Correct the path.")
    except (OSError, ValueError) as error:
        return fault(
            "certificate", f"{file}: {error}", "Certificate and key cannot be read, or do not belong together.",
            "console_certificate is a PEM chain with the server's own first, console_key its key.",
        )  # fmt: skip
    return certificate.public_bytes(Encoding.DER)


def _named(host: str, der: bytes) -> Iterator[Finding]:
    names = x509.load_der_x509_certificate(der).extensions
    try:
        found = names.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = x509.SubjectAlternativeName([])
    said = [str(name.value) for name in found]
    if host in said or any(name.startswith("*.") and host.partition(".")[2] == name[2:] for name in said):
        yield ok("certificate.name", f"the certificate is of {host}")
    else:
        yield fault(
            "certificate.name", f"the certificate is of {', '.join(said) or 'nobody'}, public_url of {host}",
            "Browsers and connectors refuse it.", "Get a certificate with the name in public_url, or change that.",
        )  # fmt: skip


def _outside(settings: ServerSettings) -> Iterator[Finding]:
    """What else the settings name: bus, witnesses, time stamps."""
    named = [place.url for place in settings.witness_places() if place.url]
    for url in [*named, *([settings.timestamp_url] if settings.timestamp_url else []), settings.bus]:
        parts = urlsplit(url)
        if parts.hostname:
            port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 4222)
            way = path.Way(parts.hostname, port)
            yield from path.tcp(way)
            if parts.scheme in ("http", "https"):
                yield from path.clock(way, secure=parts.scheme == "https")
    if settings.bus and is_loopback(urlsplit(settings.bus).hostname or ""):
        yield warning(
            "bus", "the NATS server is this machine's own", "Relays elsewhere do not reach a loopback address.",
            "Write the address by which relays reach it.",
        )  # fmt: skip


def _inside(settings: ServerSettings) -> Iterator[Finding]:
    """Master key, database, recordings, sinks: with Django."""
    from portineria.control.settings.master_key import master_key
    from portineria.control.settings.start import use

    try:
        use(settings)
    except PortineriaError as error:
        yield fault("settings", str(error), "The server does not start with this.", "Correct what is named.")
        return
    try:
        master_key()
    except (PortineriaError, OSError) as error:
        yield fault(
            "master-key", str(error), "What the database keeps sealed cannot be opened.",
            "portineria setup makes it once; a lost one comes from the backup only.",
        )  # fmt: skip
        return
    # Needs Django to have started.
    from portineria.control import doctor_rows

    yield from doctor_rows.examine(datetime.now(UTC))
