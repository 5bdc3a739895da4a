# SPDX-License-Identifier: Apache-2.0
"""A relay as a process of its own, furnished by an installation."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.dataplane.relay.settings import RelaySettings
from portineria.process.settings import write_settings
from portineria.wire.statement import RelayAddress
from tests.integration.credentials import PEM, Credentials, raw
from tests.integration.process import Process, free_port


@dataclass
class RelayProcess:
    address: RelayAddress
    settings: RelaySettings
    process: Process
    certificate: Path
    key: Path


def furnish(name: str, place: Path, credentials: Credentials, *, bus: str, settings: dict[str, object]) -> RelayProcess:
    """Its folder with key, certificate and settings; ``listen`` is an address. Not started."""
    place.mkdir()
    port, key = free_port(), ec.generate_private_key(ec.SECP256R1())
    leaf = credentials.issue("relay", name, key.public_key(), hosts=("127.0.0.1", "localhost"))
    (place / "relay.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (place / "relay.key").write_bytes(key.private_bytes(*PEM))
    (place / "gateway-issuer.der").write_bytes(credentials.der(credentials.issuers["gateway"]))
    address = str(settings.get("listen", "127.0.0.1"))
    given = RelaySettings(
        relay=name, listen=[f"{address}:{port}"], certificate=place / "relay.pem", key=place / "relay.key",
        gateway_issuer=place / "gateway-issuer.der", ticket_key=raw(credentials.signer_keys["ticket"]).hex(),
        bus=bus, **{key: value for key, value in settings.items() if key != "listen"},  # type: ignore[arg-type]
    )  # fmt: skip
    write_settings(place / "relay.toml", given)
    process = Process(["-m", "portineria.dataplane.relay", str(place / "relay.toml")], place / "log")
    return RelayProcess(RelayAddress(name, "127.0.0.1", port), given, process, given.certificate, given.key)
