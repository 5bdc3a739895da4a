# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class RelaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a relay reads from its surroundings. It has no signing key and no database."""

    relay: Annotated[str, Meta(description="Its id, as the control plane knows it.")]
    listen: Annotated[list[str], Meta(min_length=1, description="host:port, one or several; [::]:443 for all.")]
    certificate: Annotated[Path, Meta(description="Its TLS certificate (PEM), from the installation's relay issuer.")]
    key: Annotated[Path, Meta(description="The private key of that certificate (PEM).")]
    gateway_issuer: Annotated[Path, Meta(description="Certificate (DER) of the issuer of gateways.")]
    ticket_key: Annotated[str, Meta(description="Public key (hex) of the signer of tickets and admitted lists.")]
    bus: Annotated[str, Meta(description="Unix socket of the control plane, or tls://HOST:PORT of its NATS server.")]
    bus_seed: Annotated[Path | None, Meta(description="With NATS: file (mode 600) with this relay's nkey seed.")] = None
    bus_ca: Annotated[
        Path | None,
        Meta(description="With tls://: PEM certificate of the server or its issuer; none: the system's."),
    ] = None
    console: Annotated[
        Path | None, Meta(description="Unix socket that takes over console connections of the shared port.")
    ] = None
    lock: Annotated[
        Path | None, Meta(description="Held while it runs: a second process of this relay ends with 75.")
    ] = None
    balancers: Annotated[
        list[str],
        Meta(description="Addresses of load balancers in front; each connection of theirs begins with PROXY v2."),
    ] = []
    nested_only: Annotated[bool, Meta(description="Never take the outer TLS off (slower; for middleboxes).")] = False
    busy_heartbeat_s: Annotated[float, Meta(gt=0, description="Heartbeat of a link while a session lives on it.")] = 15
    idle_heartbeat_s: Annotated[float, Meta(gt=0, description="Of an idle link: 30 MB a month allow 55.")] = 55
    pairing_s: Annotated[float, Meta(gt=0, description="How long a connector's leg waits for the gateway's.")] = 10
    setup_s: Annotated[float, Meta(gt=0, description="For the handshake, and again for the first frame.")] = 5
    links: Annotated[int, Meta(gt=0, description="At most so many gateways. 25,000 idle ones need 1 GB.")] = 30_000
    setups: Annotated[int, Meta(gt=0, description="Connections that have not proved themselves yet.")] = 4096
    setups_per_address: Annotated[int, Meta(gt=0, description="The same from one address (an office's NAT).")] = 256
    pairings_per_gateway: Annotated[int, Meta(gt=0, description="Legs waiting for one gateway at a time.")] = 256
    leg_pairs: Annotated[int, Meta(gt=0, description="Pairs in use; six descriptors each.")] = 4000
    metrics: Annotated[
        str,
        Meta(description="ADDRESS:PORT for Prometheus (/metrics) and probes (/livez, /readyz); nowhere when empty."),
    ] = ""
    log_form: Annotated[
        Literal["auto", "json", "text"], Meta(description="Of the operators' log; auto: text on a terminal, else JSON.")
    ] = "auto"
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="The least that the operators' log tells.")
    ] = "INFO"
    pipes: Annotated[int, Meta(ge=0, description="Kernel pipes for splicing; beyond them bytes are copied.")] = 1024
