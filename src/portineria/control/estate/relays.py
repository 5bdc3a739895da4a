# SPDX-License-Identifier: Apache-2.0
"""The relays of this machine: their rows, their certificates, and the settings file each is started with.

A relay gets its own TLS key, the issuer of gateways and the public key of tickets: nothing to sign with, no database.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate
from django.db import transaction
from django.utils import timezone

from portineria.control.estate.models import Relay
from portineria.control.estate.nats import bus_ca, kept_bus_seed
from portineria.control.identity import keys
from portineria.control.settings.server import RelayPlace
from portineria.control.settings.start import current
from portineria.process.settings import BadSettings, write_settings

CERTIFICATE_LIFE = timedelta(days=397)  # made anew at every start


class RelayFile(msgspec.Struct, frozen=True):
    """The part of a relay's settings that follows from the installation; the rest are its own defaults."""

    relay: str
    listen: list[str]
    certificate: str
    key: str
    gateway_issuer: str
    ticket_key: str
    bus: str
    bus_seed: str | None
    bus_ca: str | None
    console: str | None
    lock: str
    balancers: list[str]
    nested_only: bool
    metrics: str
    log_form: str
    log_level: str


@dataclass(frozen=True, slots=True)
class RelayBus:
    where: str
    seed: Path | None
    ca: Path | None


@dataclass(frozen=True, slots=True)
class RelayProgram:
    relay: str
    settings: Path

    @property
    def lock(self) -> Path:
        """Held by the relay's process while it runs, with its number inside."""
        return self.settings.with_name("lock")


def bus_folder() -> Path:
    return current().state / "run" / "bus"


def console_socket() -> Path:
    return current().state / "run" / "console.sock"


def relay_locks() -> list[Path]:
    """Each is held by a relay's process while it runs, also by one that outlived its server."""
    return sorted((current().state / "relays").glob("*/lock"))


@transaction.atomic
def settle_relays() -> list[Relay]:
    """Rows for the relays of the settings; those no longer there are retired.

    A relay is its address: at another one it is another relay. Gateways add relays that they do not know and never
    replace one that they do, so a relay which moved under its old name would be found by none of them.
    """
    rows = []
    for position, place in enumerate(current().places()):
        row, _ = Relay.objects.update_or_create(
            host=place.host, port=place.port, defaults={"position": position, "retired_at": None}
        )
        rows.append(row)
    gone = Relay.objects.filter(retired_at__isnull=True).exclude(pk__in=[row.pk for row in rows])
    gone.update(retired_at=timezone.now())
    return rows


def write_programs() -> list[RelayProgram]:
    """Write each relay's folder. The first relay also takes the console's connections."""
    programs = []
    for row, place in zip(settle_relays(), current().places(), strict=True):
        folder = current().state / "relays" / row.public_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seed = kept_bus_seed(row.public_id) if current().bus else None
        bus = RelayBus(current().bus or str(bus_folder() / f"{row.public_id}.sock"), seed, bus_ca() if seed else None)
        console = console_socket() if row.position == 0 else None
        programs.append(RelayProgram(row.public_id, _write(folder, row, place, bus=bus, at=folder, console=console)))
    return programs


def write_kit(relay: str, folder: Path, *, at: Path) -> Path:
    """Write what this relay (its id, or public host:port) needs on another machine, where it will lie in ``at``.

    Its private key is made there and kept nowhere else: a kit written anew has another one. Raise BadSettings.
    """
    if not current().bus:
        raise BadSettings(
            "a relay elsewhere needs a NATS server between: `portineria nats`, then `bus` in portineria.toml"
        )
    known = {row.public_id: (row, place) for row, place in zip(settle_relays(), current().places(), strict=True)}
    named = [pair for pair in known.values() if relay in (pair[0].public_id, f"{pair[1].host}:{pair[1].port}")]
    if not named:
        raise BadSettings(f"there is no relay {relay}; `relays` in portineria.toml has: {', '.join(known)}")
    row, place = named[0]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "key.pem").unlink(missing_ok=True)
    _copy_secret(kept_bus_seed(row.public_id), folder / "bus.seed")
    ca = bus_ca()
    if ca is not None:
        (folder / "bus-ca.pem").write_bytes(ca.read_bytes())
    bus = RelayBus(current().bus, at / "bus.seed", at / "bus-ca.pem" if ca is not None else None)
    return _write(folder, row, place, bus=bus, at=at, console=None)


def _copy_secret(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(source.read_bytes())


def _write(folder: Path, row: Relay, place: RelayPlace, *, bus: RelayBus, at: Path, console: Path | None) -> Path:
    """``at``: where the relay will find ``folder``."""
    key = _own_key(folder / "key.pem")
    leaf = keys.issue(
        "relay", row.public_id, key.public_key(), at=timezone.now(), life=CERTIFICATE_LIFE, hosts=(place.host,)
    )
    issuers = keys.issuers()
    chain = load_der_x509_certificate(leaf).public_bytes(Encoding.PEM)
    chain += load_der_x509_certificate(issuers["relay"]).public_bytes(Encoding.PEM)
    (folder / "certificate.pem").write_bytes(chain)
    (folder / "gateway-issuer.der").write_bytes(issuers["gateway"])
    settings = RelayFile(
        relay=row.public_id,
        listen=place.addresses,
        certificate=str(at / "certificate.pem"),
        key=str(at / "key.pem"),
        gateway_issuer=str(at / "gateway-issuer.der"),
        ticket_key=keys.signer("ticket").key.public_key().public_bytes_raw().hex(),
        bus=bus.where,
        bus_seed=str(bus.seed) if bus.seed else None,
        bus_ca=str(bus.ca) if bus.ca else None,
        console=str(console) if console else None,
        lock=str(at / "lock"),
        balancers=current().balancers,
        nested_only=current().nested_only,
        metrics=dict(enumerate(current().relay_metrics)).get(row.position, ""),
        log_form=current().log_form,
        log_level=current().log_level,
    )
    write_settings(folder / "relay.toml", settings)
    return folder / "relay.toml"


def _own_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    loaded = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} is no P-256 key")
    return loaded
