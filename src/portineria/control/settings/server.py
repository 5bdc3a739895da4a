# SPDX-License-Identifier: Apache-2.0
"""Everything the control plane reads from its surroundings: ``portineria.toml``, ``PORTINERIA_SERVER_*`` over it."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from portineria.ledger.note import COSIGNATURE, BadNote, VerifierKey, parse_verifier_key
from portineria.process.settings import BadSettings, read_settings

PREFIX = "PORTINERIA_SERVER_"
FILE = "portineria.toml"
DEFAULT_STATE = Path(".portineria")

WatchGrace = Annotated[
    int,
    Meta(
        ge=30,
        le=600,
        description="How long a session goes on while whoever its rule names to watch has no page of it open. That "
        "such a page is open is said again at most 20 s later; the rest is for a page that is loaded anew, or a "
        "telephone that slept.",
    ),
]


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Built once, in ``main``."""

    state: Annotated[Path, Meta(description="Database, keys and sockets of this installation.")] = DEFAULT_STATE
    public_url: Annotated[str, Meta(description="Address of the console. Plain http is served on loopback only.")] = (
        "http://localhost:8443"
    )
    relays: Annotated[
        list[str],
        Meta(
            description="One relay process each: listen address (or several, A+B), or LISTEN=PUBLIC where gateways "
            "and connectors reach it by another one. The first also takes the console's connections."
        ),
    ] = []
    inner_networks: Annotated[
        list[str],
        Meta(
            description="Networks inside this machine (containers, namespaces), like 10.203.0.0/16. With a plain http "
            "public_url relays may listen there too; the console then answers only those networks there, with TLS."
        ),
    ] = []
    console_certificate: Annotated[
        Path | None, Meta(description="PEM chain for the console; self-made when absent.")
    ] = None
    console_key: Annotated[Path | None, Meta(description="PEM key of that certificate.")] = None
    database: Annotated[
        str,
        Meta(
            description="postgresql://user@host/name, with libpq's own parameters behind a ? (sslmode, passfile, "
            "service …); SQLite in the state folder when empty."
        ),
    ] = ""
    bus: Annotated[
        str, Meta(description="tls://HOST:PORT of a NATS server, for relays elsewhere; this machine's own when empty.")
    ] = ""
    bus_seed: Annotated[
        Path | None, Meta(description="File (mode 600) with the control plane's nkey seed; that of `portineria nats`.")
    ] = None
    bus_ca: Annotated[
        Path | None,
        Meta(description="PEM certificate of the NATS server or its issuer; that of `portineria nats`."),
    ] = None
    web_listen: Annotated[
        list[str], Meta(description="Where `portineria web` listens, HOST:PORT; the port of public_url when empty.")
    ] = []
    balancers: Annotated[
        list[str],
        Meta(description="Addresses of load balancers in front; each connection of theirs begins with PROXY v2."),
    ] = []
    database_password_file: Annotated[
        Path | None, Meta(description="Holds the password for PostgreSQL, where libpq's own means are not used.")
    ] = None
    lease_s: Annotated[int, Meta(ge=1, le=3600, description="How long a gateway trusts one lease.")] = 30
    enrolment_without_code: Annotated[
        bool,
        Meta(description="Gateways may also come by the root's fingerprint, without a code; admitted all the same."),
    ] = False
    witnesses: Annotated[
        list[str],
        Meta(
            max_length=16,
            description="Who cosigns our registers: KEY WHERE each, KEY as the witness prints it, WHERE its https "
            "address (http on loopback) or a folder that carries requests and answers.",
        ),
    ] = []
    witness_authorities: Annotated[
        Path | None, Meta(description="PEM of authorities that witnesses' certificates may come from too.")
    ] = None
    timestamp_url: Annotated[
        str,
        Meta(max_length=512, description="An RFC 3161 time-stamping authority that stamps checkpoints; none if empty."),
    ] = ""
    timestamp_authorities: Annotated[
        Path | None,
        Meta(description="PEM of the roots that its certificate leads to; `ledger verify --tsa` wants it too."),
    ] = None
    timestamp_every_min: Annotated[int, Meta(ge=1, le=10080, description="A growing register is stamped so often.")] = (
        60
    )
    upload_mib: Annotated[
        int,
        Meta(ge=1, le=4096, description="Largest file, in MiB, that the console's page for checking exports takes."),
    ] = 256
    api_per_minute: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Requests to the REST API that one account may send to one web process."),
    ] = 600
    recordings: Annotated[
        str,
        Meta(
            max_length=512,
            description="Where recordings are kept: a folder from /, or s3://BUCKET/PREFIX?endpoint=https://HOST with "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `recordings` in the state folder when empty.",
        ),
    ] = ""
    metrics: Annotated[
        str,
        Meta(
            description="ADDRESS:PORT where this process tells its figures to Prometheus (/metrics) and how it is "
            "(/livez, /readyz); nowhere when empty. It holds no names, and asks nobody who they are: use 127.0.0.1."
        ),
    ] = ""
    relay_metrics: Annotated[
        list[str], Meta(description="The same for each relay of `relays`, in their order; nowhere where none is left.")
    ] = []
    traces: Annotated[
        str,
        Meta(
            max_length=512,
            description="OTLP/HTTP address of an OpenTelemetry collector, like http://127.0.0.1:4318/v1/traces; https "
            "where it is not loopback; nothing is traced when empty.",
        ),
    ] = ""
    log_form: Annotated[
        Literal["auto", "json", "text"], Meta(description="Of the operators' log; auto: text on a terminal, else JSON.")
    ] = "auto"
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="The least that the operators' log tells.")
    ] = "INFO"
    mail_server: Annotated[
        str, Meta(max_length=300, description="HOST:PORT of the mail server that brings people their notifications.")
    ] = ""
    mail_encryption: Annotated[
        Literal["starttls", "tls"], Meta(description="How it is spoken to: tls from the first byte, or starttls.")
    ] = "starttls"
    mail_sender: Annotated[str, Meta(max_length=254, description="Whom these mails are from.")] = ""
    mail_user: Annotated[str, Meta(max_length=254, description="Name at the mail server, where it asks for one.")] = ""
    mail_password_file: Annotated[Path | None, Meta(description="Holds the password that belongs to it.")] = None
    mail_authorities: Annotated[
        Path | None, Meta(description="PEM of authorities instead of the system's, for the mail server's certificate.")
    ] = None
    webhook_hosts: Annotated[
        list[str],
        Meta(
            max_length=64,
            description="HOST or HOST:PORT of each receiver to which people may have their notifications sent, as it "
            "stands in the address; nobody may where this is empty.",
        ),
    ] = []
    sink_folder: Annotated[Path | None, Meta(description="Where sinks may write files; nowhere when empty.")] = None
    watch_grace_s: WatchGrace = 60
    nested_only: Annotated[bool, Meta(description="Relays never take the outer TLS off (for middleboxes).")] = False

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https:")

    @property
    def host(self) -> str:
        return urlsplit(self.public_url).hostname or "localhost"

    @property
    def port(self) -> int:
        return urlsplit(self.public_url).port or (443 if self.secure else 80)

    def places(self) -> "list[RelayPlace]":
        bind = "127.0.0.1" if is_loopback(self.host) else "[::]"
        places = []
        for text in self.relays or [f"{bind}:{self.port}"]:
            listen, _, public = text.partition("=")
            ports = [split_address(address)[1] for address in listen.split("+")]
            host, port = split_address(public or f"{_bracketed(self.host)}:{ports[0]}")
            places.append(RelayPlace(listen, host, port))
        return places

    def web_addresses(self) -> list[str]:
        """Where a web process listens that shares its port with no relay."""
        bind = "127.0.0.1" if is_loopback(self.host) else "[::]"
        return self.web_listen or [f"{bind}:{self.port}"]

    def check_shared(self, what: str) -> None:
        """Raise BadSettings unless several processes on several machines can work with these settings."""
        missing = [name for name in ("database", "bus") if not getattr(self, name)]
        if missing:
            raise BadSettings(
                f"portineria {what} works with others on one PostgreSQL and one NATS server: set "
                f"{' and '.join(missing)} in portineria.toml (docs/howto/several-machines.md). One machine alone runs "
                "`portineria serve`"
            )

    def witness_places(self) -> "list[WitnessPlace]":
        """Raise BadSettings."""
        places = [_witness_place(text) for text in self.witnesses]
        if len({place.key for place in places}) != len(places):
            raise BadSettings("witnesses: one of them stands there twice")
        return places

    def inside(self, host: str) -> bool:
        """Whether this address belongs to a network inside this machine."""
        address = _address(host)
        return address is not None and any(address in network for network in self._networks())

    def _networks(self) -> "list[ipaddress.IPv4Network | ipaddress.IPv6Network]":
        try:
            return [ipaddress.ip_network(text) for text in self.inner_networks]
        except ValueError as error:
            raise BadSettings(f"inner_networks: {error}; write like 10.203.0.0/16") from error


@dataclass(frozen=True, slots=True)
class RelayPlace:
    listen: str  # host:port, or several with + between them
    host: str  # by which it is reached
    port: int

    @property
    def addresses(self) -> list[str]:
        return self.listen.split("+")


@dataclass(frozen=True, slots=True)
class WitnessPlace:
    key: VerifierKey
    url: str = ""
    drop: Path | None = None  # instead of the address


def _witness_place(text: str) -> WitnessPlace:
    key, _, where = text.strip().partition(" ")
    try:
        known = parse_verifier_key(key)
    except BadNote as error:
        raise BadSettings(f"witnesses: {key!r}: {error}") from error
    if known.kind != COSIGNATURE:
        raise BadSettings(f"witnesses: {key!r} is not the key of a witness")
    parts, where = urlsplit(where.strip()), where.strip()
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return WitnessPlace(known, url=where.rstrip("/"))
    if where.startswith("/"):
        return WitnessPlace(known, drop=Path(where))
    raise BadSettings(f"witnesses: {where!r} is neither an https address (http on loopback) nor a folder from /")


def split_address(text: str) -> tuple[str, int]:
    """``host:port``, where an IPv6 host stands in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadSettings(f"{text!r} is not host:port")
    return host.strip("[]"), int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_number(host: str) -> bool:
    return _address(host) is not None


def _address(host: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    """None for a name. What arrives at an IPv6 listener from IPv4 counts as IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def load(state: Path) -> ServerSettings:
    """Read the state folder's file, if there is one, and the environment; raise BadSettings."""
    file = state / FILE
    settings = read_settings(ServerSettings, file if file.exists() else None, prefix=PREFIX)
    settings = msgspec.structs.replace(settings, state=state.absolute())
    check(settings)
    return settings


def check(settings: ServerSettings) -> None:
    """Raise BadSettings."""
    parts = urlsplit(settings.public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise BadSettings(f"public_url {settings.public_url!r} is not like https://host:port")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise BadSettings("public_url: plain http is for loopback only; write https")
    if (settings.console_certificate is None) != (settings.console_key is None):
        raise BadSettings("console_certificate and console_key belong together")
    if not settings.secure:
        _check_plain(settings)
    settings.places()
    for address in settings.web_listen:
        split_address(address)
    for balancer in settings.balancers:
        if _address(balancer) is None:
            raise BadSettings(f"balancers: {balancer!r} is no address")
    settings.witness_places()
    traces = urlsplit(settings.traces)
    if (
        settings.traces
        and traces.scheme != "https"
        and not (traces.scheme == "http" and is_loopback(traces.hostname or ""))
    ):
        raise BadSettings("traces: write https://HOST/v1/traces; plain http is for loopback only")


def _check_plain(settings: ServerSettings) -> None:
    """Passwords and cookies in clear, also those of an https address: whoever listens outside needs TLS everywhere."""
    for place in settings.places():
        for address in place.addresses:
            host, _ = split_address(address)
            if not is_loopback(host) and not settings.inside(host):
                raise BadSettings(
                    f"relays: {address} is not loopback, and plain http is for loopback only; nothing was started. "
                    "Write public_url as https://HOST:PORT (a certificate is made when you name none), or listen on "
                    "127.0.0.1"
                )
