# SPDX-License-Identifier: Apache-2.0
"""The characters and the estate that the tests of the control plane share, and the two ends that speak to it.

The gateway's and the connector's side here are made of the real wire functions and real keys; only sockets are missing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from django.test import Client
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.estate import enrolment as admission
from portineria.control.estate import services as estate
from portineria.control.estate.models import Link, Machine, Relay
from portineria.control.estate.relays import settle_relays
from portineria.control.identity import first_run, keys
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.connector import authorise, base64url, unbase64
from portineria.control.identity.models import Installation, Person, Role
from portineria.wire import enrolment
from portineria.wire.certificate import check_leaf, load_certificate, spki, spki_sha256
from portineria.wire.envelope import read_signed, unseal
from portineria.wire.feature import UNDERSTOOD
from portineria.wire.report import (
    GLANCE_SEQ,
    Body,
    Context,
    Event,
    Glance,
    Question,
    Seen,
    StreamTraffic,
    write_report,
)
from portineria.wire.statement import ROLE_OF, Letter, letter_info, open_letter, role_of, sha256

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "a gatehouse for machines"


def person(name: str, organisation: str, role: Role, supplier: str = "") -> Person:
    made = identity.create_person(
        actor=Operator(),
        organisation=organisation,
        name=name.capitalize(),
        email=f"{name}@example.com",
        role=role,
        supplier=supplier,
    )
    first_run.set_totp(actor=Operator(), person=made.public_id, secret=TOTP_SECRET)
    return Person.objects.get(pk=made.pk)


def fresh(row: Person) -> Person:
    """As the next request would load them."""
    return Person.objects.get(pk=row.pk)


@dataclass
class GatewayEnd:
    """What a gateway keeps: its keys, its trust, its chain of events."""

    tls: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    event: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    sealing: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    id: str = ""
    trust: enrolment.Trust | None = None
    boot: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    epoch: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    seq: int = 0
    prev: bytes = bytes(32)
    heard_ms: int = 0  # the last time it was told
    ahead_s: float = 0  # by how much later than now its events happen

    @property
    def spki_sha256(self) -> bytes:
        return spki_sha256(self.tls.public_key())

    def request(self, tls: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        return enrolment.REQUEST.encode(
            enrolment.EnrolmentRequest(
                tls_key=spki((tls or self.tls).public_key()),
                event_key=self.event.public_key().public_bytes_raw(),
                sealing_key=self.sealing.public_key().public_bytes_raw(),
                name="cabinet 4",
                version="0.1",
            )
        )

    def enrol(self, code: str, **swapped: bytes) -> Any:
        """POST the request; ``swapped`` replaces what a man in the middle would."""
        lookup, secret = enrolment.split_code(code)
        request = self.request()
        body = {
            "lookup": lookup,
            "request": base64url(swapped.get("request", request)),
            "proof": base64url(swapped.get("proof", enrolment.gateway_proof(secret, request))),
        }
        return post("/api/v1/gateways/enrol", body)

    def accept(self, code: str, answer: dict[str, str]) -> None:
        """Check the server's proof as a gateway does; raise BadSignature."""
        _, secret = enrolment.split_code(code)
        trust = unbase64(answer["trust"], "trust")
        self.trust = enrolment.TRUST.decode(trust)
        root = spki_sha256(load_certificate(self.trust.root).public_key())  # type: ignore[arg-type]
        expected = enrolment.server_proof(secret, self.request(), trust, root)
        enrolment.check(expected, unbase64(answer["proof"], "proof"), "server")
        self.id = answer["gateway"]

    def certificate(self, *, by: ec.EllipticCurvePrivateKey | None = None, at_ms: int = 0, **more: Any) -> Any:
        request = self.request(more.get("tls"))
        covered = b"portineria-certificate" + sha256(request) + self.id.encode() + at_ms.to_bytes(8, "big")
        signature = (by or self.tls).sign(covered, ec.ECDSA(hashes.SHA256()))
        body = {
            "gateway": self.id,
            "request": base64url(request),
            "at_ms": at_ms,
            "signature": base64url(signature),
        }
        return post("/api/v1/gateways/certificate", body)

    def context(self, seq: int, prev: bytes) -> Context:
        assert self.trust is not None
        return Context(self.trust.opening_keys[0].key_id, self.id, self.epoch, seq, prev)

    def write(self, body: Body, context: Context) -> tuple[bytes, bytes]:
        assert self.trust is not None
        recipient = X25519PublicKey.from_public_bytes(self.trust.opening_keys[0].key)
        return write_report(body, context, key=self.event, recipient=recipient)

    def say(self, code: str, session: str = "", /, **fields: str | int | bool) -> bytes:
        """The next event of the chain."""
        self.seq += 1
        report, signed = self.write(
            Event(self.boot, int((time.time() + self.ahead_s) * 1000), 1, code, session, fields),
            self.context(self.seq, self.prev),
        )
        self.prev = sha256(signed)
        return report

    def ask(
        self, *sessions: str, nonce: bytes | None = None, traffic: Sequence[StreamTraffic] = (),
        signers: list[str] | None = None, register_size: int | None = None, acknowledged: int = 0,
        inspects: Sequence[str] = (), holds: bool = False, emergency: bytes | None = None,
        understands: Sequence[str] = UNDERSTOOD,
    ) -> bytes:  # fmt: skip
        """``signers``: whom it says it believes; what it pinned at enrolment when left out."""
        assert self.trust is not None
        believed = sorted(self.trust.signers) if signers is None else signers
        question = Question(
            self.boot, nonce or secrets.token_bytes(32), list(sessions), "0.1", heard_ms=self.heard_ms,
            traffic=list(traffic), signers=believed, register_size=register_size,
            acknowledged=acknowledged, inspects=list(inspects), holds=holds,
            emergency=emergency, understands=list(understands),
        )  # fmt: skip
        return self.write(question, self.context(0, bytes(32)))[0]

    def show(
        self, session: str, part: int, *lines: Seen, boot: bytes = b"", late_s: float = 0, beyond: int = 0
    ) -> bytes:
        """A glance."""
        at_ms = int((time.time() - late_s) * 1000)
        glance = Glance(boot or self.boot, session, part, at_ms, list(lines), beyond=beyond)
        return self.write(glance, self.context(GLANCE_SEQ, bytes(32)))[0]

    def read(self, sealed: list[bytes]) -> list[Letter]:
        return [self.open(letter)[0] for letter in sealed]

    def open(self, sealed: bytes) -> tuple[Letter, bytes]:
        """As WIRE 2 and 7 want it: unseal, find the signer, check that its certificate has the role, then decode."""
        assert self.trust is not None
        signed = read_signed(unseal(sealed, self.sealing, info=letter_info(self.id)))
        issuer = load_certificate(self.trust.issuers["signer"])
        signer = check_leaf(self.trust.signers[signed.signer], kind="signer", issuer=issuer)
        assert signer.id == f"{role_of(signed)}:{signed.signer}"
        assert isinstance(signer.key, Ed25519PublicKey)
        letter, exact = open_letter(signed, signer.key)
        assert letter.gateway == self.id
        assert role_of(signed) == ROLE_OF[signed.type.removeprefix("portineria.")]
        return letter, exact


def post(path: str, body: dict[str, Any], **headers: str) -> Any:
    return Client().post(path, json.dumps(body), content_type="application/json", headers=headers)


class ConnectorEnd:
    """A signed-in connector: every request carries the token and the proof of its key."""

    def __init__(self, actor: Person) -> None:
        self.key = Ed25519PrivateKey.generate()
        verifier = secrets.token_urlsafe(32)
        challenge = base64url(hashlib.sha256(verifier.encode()).digest())
        raw = self.key.public_key().public_bytes_raw()
        code = authorise(actor=actor, challenge=challenge, key=raw, name="laptop", address="192.0.2.7")
        self.answer = self.redeem(code, verifier)
        self.token = self.answer.json().get("token", "")

    def redeem(self, code: str, verifier: str, key: Ed25519PrivateKey | None = None) -> Any:
        signature = (key or self.key).sign(b"portineria-token" + code.encode())
        body = {"code": code, "verifier": verifier, "signature": base64url(signature)}
        return post("/api/v1/connector/token", body)

    def headers(self, method: str, path: str, body: bytes, at_ms: int | None = None) -> dict[str, str]:
        at_ms = int(time.time() * 1000) if at_ms is None else at_ms
        covered = hashlib.sha256(self.token.encode()).digest() + f"{method} {path}".encode()
        nonce = secrets.token_bytes(16)
        covered += hashlib.sha256(body).digest() + at_ms.to_bytes(8, "big") + nonce
        proof = f"v1.{at_ms}.{base64url(nonce)}.{base64url(self.key.sign(covered))}"
        return {"Authorization": f"Portineria {self.token}", "Portineria-Proof": proof}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        path = f"/api/v1{path}"
        data = json.dumps(body).encode() if body is not None else b""
        headers = self.headers(method, path, data)
        return Client().generic(method, path, data, content_type="application/json", headers=headers)


def begin(grant: str) -> str:
    """As if a session had been opened under it just now."""
    row = Grant.objects.select_related("rule").get(public_id=grant)
    if row.begin_work(timezone.now(), row.rule.max_minutes):
        row.save(update_fields=["opened_at", "ends_at"])
    return grant


@dataclass
class World:
    organisation: str
    owner: Person
    approver: Person
    operator: Person
    technician: Person
    rival: Person
    stranger: Person
    plant: str
    supplier: str
    machine: Machine
    rivals_machine: Machine
    gateway: GatewayEnd
    rule: str
    relay: str

    def link(self) -> None:
        """As if the gateway's control link stood."""
        from portineria.control.estate.models import Gateway

        Link.objects.update_or_create(
            gateway=Gateway.objects.get(public_id=self.gateway.id), relay=Relay.objects.get(public_id=self.relay)
        )

    def request(self, minutes: int = 60, in_days: int = 0) -> str:
        made = access.make_request(
            actor=self.technician, machine=self.machine.public_id, reason="belt change", minutes=minutes,
            starts_at=timezone.now() + timedelta(days=in_days) if in_days else None,
        )  # fmt: skip
        return made.public_id

    def grant(self, minutes: int = 60) -> str:
        return access.approve(actor=self.owner, request=self.request(minutes)).public_id

    def begun(self, minutes: int = 60) -> str:
        """A grant whose time runs."""
        return begin(self.grant(minutes))


def found_installation() -> None:
    installation, _ = Installation.objects.get_or_create(pk=1)
    keys.make_missing(installation.public_id, timezone.now())
    settle_relays()


def admitted_gateway(owner: Person, plant: str) -> GatewayEnd:
    end = GatewayEnd()
    code, _ = admission.offer_enrolment(actor=owner, plant=plant)
    end.accept(code, end.enrol(code).json())
    admission.admit_gateway(actor=owner, gateway=end.id)
    return end


def machine_with_service(owner: Person, plant: str, gateway: str, name: str) -> Machine:
    machine = estate.create_machine(actor=owner, plant=plant, gateway=gateway, name=name, answering=owner.public_id)
    device = estate.add_device(actor=owner, machine=machine.public_id, name="PLC", address="192.168.10.5")
    estate.add_service(actor=owner, device=device.public_id, name="modbus", protocol="modbus", port=502)
    return machine


def build() -> World:
    found_installation()
    mine = identity.create_organisation(actor=Operator(), name="Owner's plant").public_id
    other = identity.create_organisation(actor=Operator(), name="Somebody else's").public_id
    owner = person("owner", mine, Role.ADMINISTRATOR)
    plant = estate.create_plant(actor=owner, organisation=mine, name="North", time_zone="Europe/Rome").public_id
    supplier = identity.create_supplier(actor=owner, organisation=mine, name="Presses & Co").public_id
    rivals = identity.create_supplier(actor=owner, organisation=mine, name="Rival presses").public_id
    technician = person("technician", mine, Role.TECHNICIAN, supplier)
    rival = person("rival", mine, Role.TECHNICIAN, rivals)
    gateway = admitted_gateway(owner, plant)
    machine = machine_with_service(owner, plant, gateway.id, "Press 3")
    rivals_machine = machine_with_service(owner, plant, gateway.id, "Press 4")
    rule = access.create_rule(
        actor=owner, organisation=mine, machines=[machine.public_id], supplier=supplier, max_minutes=480
    )
    access.create_rule(actor=owner, organisation=mine, machines=[rivals_machine.public_id], supplier=rivals)
    return World(
        organisation=mine,
        owner=owner,
        approver=person("approver", mine, Role.APPROVER),
        operator=person("operator", mine, Role.OPERATOR),
        technician=technician,
        rival=rival,
        stranger=person("stranger", other, Role.ADMINISTRATOR),
        plant=plant,
        supplier=supplier,
        machine=machine,
        rivals_machine=rivals_machine,
        gateway=gateway,
        rule=rule.public_id,
        relay=Relay.objects.get(position=0).public_id,
    )
