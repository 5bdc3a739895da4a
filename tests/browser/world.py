# SPDX-License-Identifier: Apache-2.0
"""An installation with something on every page: made by the services people use; only what a gateway would report is
written beside them. Imported after Django was started."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from unittest.mock import patch

from allauth.account.internal.flows.login import record_authentication
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.hours import set_hours
from portineria.control.access.locks import lift, lock
from portineria.control.access.maintaining import begin_maintenance
from portineria.control.access.profiles import set_profile
from portineria.control.access.signals import Where, add_signal
from portineria.control.access.substituting import name_substitute
from portineria.control.audit.services import record
from portineria.control.estate import enrolment
from portineria.control.estate import services as estate
from portineria.control.estate.models import Gateway, Link, Relay
from portineria.control.identity import keys, providers, service_accounts, unused
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.closing_models import ClosedWhy
from portineria.control.identity.delegating import delegate
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.entering import enter
from portineria.control.identity.first_run import create_owner, set_password, set_totp
from portineria.control.identity.models import Membership, Organisation, Person, Role
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.service_accounts import Powers
from portineria.control.notification.collecting import collect
from portineria.control.privacy.duties import appoint
from portineria.control.privacy.models import Duty
from portineria.control.remote_sessions import glances, playback, recordings
from portineria.control.remote_sessions import services as remote_sessions
from portineria.control.remote_sessions.models import HeldOperation, Session, SessionState, Stream
from portineria.control.remote_sessions.traffic import note_traffic
from portineria.core.ids import Kind, new_id
from portineria.policy.ending import Locked
from portineria.policy.function_profile import OBSERVING
from portineria.policy.profile_text import parse_clause
from portineria.protocols.catalogue import ALL
from portineria.recording.kept import Cut
from portineria.recording.seal import About
from portineria.recording.upload import Upload
from portineria.wire import enrolment as wire
from portineria.wire.report import GLANCE_SEQ, Context, Glance, Seen, StreamTraffic, write_report
from portineria.wire.statement import sha256
from tests.browser.world_rest import rest
from tests.unit.recording.recorded import FIRST, OWNER, Recording

PASSWORD = "correct horse battery staple"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # of everybody's authenticator app
EVENT_KEYS: dict[str, Ed25519PrivateKey] = {}  # gateway → what it signs its reports with
LANGUAGES = {"en": "Europe/Rome", "it": "Europe/Rome", "ja": "Asia/Tokyo"}


@dataclass
class World:
    cookies: dict[str, str] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)


def raw(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def p256() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def enrolled(owner: Person, plant: str, name: str) -> str:
    """A gateway that has typed its code."""
    code, _ = enrolment.offer_enrolment(actor=owner, plant=plant)
    lookup, secret = wire.split_code(code)
    event_key = Ed25519PrivateKey.generate()
    asked = wire.EnrolmentRequest(
        tls_key=p256(), event_key=raw(event_key), sealing_key=raw(X25519PrivateKey.generate()),
        name=name, version="0.1.0",
    )  # fmt: skip
    request = wire.REQUEST.encode(asked)
    proof = wire.gateway_proof(secret, request)
    gateway = enrolment.enrol(lookup=lookup, request=request, proof=proof, address="192.0.2.17").gateway
    EVENT_KEYS[gateway] = event_key
    return gateway


def link(gateway: str) -> None:
    row = Gateway.objects.get(public_id=gateway)
    row.last_seen_at = timezone.now()
    row.save(update_fields=["last_seen_at"])
    Link.objects.create(gateway=row, relay=Relay.objects.earliest("position"), address="192.0.2.17")


class Maker:
    def __init__(self) -> None:
        self.world = World()
        self.owner = create_owner(
            actor=Operator(), organisation="Northern Works", name="Owner", email="owner@example.test",
            language="en", time_zone="Europe/Rome",
        )  # fmt: skip
        self.organisation = self.owner.memberships.get().organisation.public_id
        self.world.ids["organisation"] = self.organisation
        self.account("owner", self.owner)

    def account(self, character: str, person: Person) -> Person:
        """Everybody has a password and an authenticator app, and a browser that is signed in already."""
        if not person.has_usable_password():
            set_password(actor=Operator(), person=person.public_id, password=PASSWORD)
            set_totp(actor=Operator(), person=person.public_id, secret=SECRET)
            person.refresh_from_db()
        session = SessionStore()
        session[SESSION_KEY] = str(person.pk)
        session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        request = HttpRequest()
        request.session = session
        record_authentication(request, person, "password", reauthenticated=True)
        session.create()
        self.world.cookies[character] = str(session.session_key)
        self.world.emails[character] = person.email
        self.world.ids[character] = person.public_id
        return person

    def person(self, character: str, role: Role, supplier: str = "", language: str = "en") -> Person:
        made = identity.create_person(
            actor=self.owner, organisation=self.organisation, name=character.split("-")[0].capitalize(),
            email=f"{character}@example.test", role=role, supplier=supplier, language=language,
            time_zone=LANGUAGES[language],
        )  # fmt: skip
        return self.account(character, made)

    def told(self) -> None:
        """Somebody stands in for the owner, somebody is away, and everybody has read nothing yet."""
        now = timezone.now()
        name_substitute(
            actor=self.owner, organisation=self.organisation, substitute=self.world.ids["deputy"], starts_at=now,
            ends_at=now + timedelta(days=3),
        )  # fmt: skip
        collect(self.organisation, now, mail=False)
        later = (now + timedelta(days=2)).strftime("%a")
        head = Person.objects.get(email="head@example.test")
        set_hours(actor=head, organisation=self.organisation, windows=f"{later} 07:00-16:00")

    def people(self) -> None:
        suppliers = {
            name: identity.create_supplier(actor=self.owner, organisation=self.organisation, name=title).public_id
            for name, title in {"presses": "Press Supplier", "drives": "Drive Supplier"}.items()
        }
        self.world.ids |= suppliers
        for language in LANGUAGES:
            self.person(f"owner-{language}", Role.ADMINISTRATOR, language=language)
            self.person(f"technician-{language}", Role.TECHNICIAN, suppliers["presses"], language)
        self.technician = self.person("technician", Role.TECHNICIAN, suppliers["presses"])
        self.person("signer", Role.APPROVER)
        self.person("watcher", Role.OPERATOR)
        self.person("deputy", Role.OPERATOR)
        self.person("rival", Role.TECHNICIAN, suppliers["drives"])
        self.person("careless", Role.TECHNICIAN, suppliers["presses"])
        self.person("passkey", Role.TECHNICIAN, suppliers["presses"])
        self.person("head", Role.ADMINISTRATOR)
        self.person("forgetful", Role.TECHNICIAN, suppliers["drives"])
        self.who_came_no_more(suppliers["drives"])
        self.provider(suppliers["presses"])

    def who_came_no_more(self, supplier: str) -> None:
        """Somebody whose access closed by itself, and somebody whose may."""
        retired, rival = self.person("retired", Role.TECHNICIAN, supplier), self.world.ids["rival"]
        unused.close(retired.memberships.get(), ClosedWhy.UNUSED, timezone.now())
        self.world.ids["closed"] = retired.public_id
        rows = Membership.objects.filter(person__public_id=rival)
        rows.update(since=timezone.now() - timedelta(days=60), ends_at=timezone.now() + timedelta(days=9))

    def provider(self, supplier: str) -> None:
        made = IdentityProvider.objects.create(
            organisation=self.owner.memberships.get().organisation, kind="openid", name="Northern Works sign-in",
            issuer="https://sso.example.test/realms/works", groups_claim="groups",
            settings={"address": "https://sso.example.test", "client_id": "portineria", "scopes": "openid"},
        ).public_id  # fmt: skip
        for group, role, firm in (("/leads", Role.APPROVER, ""), ("", Role.TECHNICIAN, supplier)):
            providers.map_group(actor=self.owner, provider=made, group=group, role=role, supplier=firm)
        providers.claim_domain(actor=self.owner, provider=made, domain="works.example.test")
        self.world.ids["provider"] = made

    def watched_by_a_provider(self) -> None:
        """Whose analyst was here once; in each language there is one more, who may show a factor of their company."""
        made = identity.create_organisation(actor=Operator(), name="Watchful").public_id
        company = IdentityProvider.objects.create(
            organisation=Organisation.objects.get(public_id=made), kind="openid", name="Watchful sign-in",
            issuer="https://sso.watchful.test", factor_counts=True,
        )  # fmt: skip
        for language in LANGUAGES:
            person = identity.create_person(
                actor=Operator(), organisation=made, name="Analyst", email=f"analyst-{language}@watchful.test",
                role=Role.ADMINISTRATOR, language=language, time_zone=LANGUAGES[language],
            )  # fmt: skip
            self.account(f"analyst-{language}", person)
            SocialAccount.objects.create(user=person, provider=company.public_id, uid=person.public_id)
        row = delegate(
            actor=self.owner, organisation=self.organisation, provider=made, powers=list(Power), incident_hours=8
        )
        enter(actor=Person.objects.get(email="analyst-en@watchful.test"), customer=self.organisation)
        self.world.ids["delegation"] = row.public_id

    def program(self) -> None:
        """With two tokens."""
        row = service_accounts.create_service_account(
            actor=self.owner, organisation=self.organisation, name="Maintenance planner"
        )
        self.world.ids["account"] = row.public_id
        for name, powers in (("server 1", Powers(operates=True)), ("vault of the night shift", Powers(asks=True))):
            service_accounts.issue_token(actor=self.owner, account=row.public_id, name=name, days=90, powers=powers)

    def estate(self) -> None:
        ids, owner = self.world.ids, self.owner
        for name, title, zone in (("north", "Plant North", "Europe/Rome"), ("east", "Plant East", "Asia/Tokyo")):
            ids[name] = estate.create_plant(
                actor=owner, organisation=self.organisation, name=title, time_zone=zone
            ).public_id
            estate.create_zone(actor=owner, plant=ids[name], name="Pressing")
            estate.create_line(actor=owner, plant=ids[name], name="Line 1", zone="Pressing")
            ids[f"gateway-{name}"] = enrolled(owner, ids[name], f"gateway-{name}")
            enrolment.admit_gateway(actor=owner, gateway=ids[f"gateway-{name}"])
        ids["gateway-new"] = enrolled(owner, ids["north"], "gateway-new")
        ids["gateway-wrong"] = enrolled(owner, ids["north"], "gateway-wrong")
        link(ids["gateway-north"])
        ids["press3"] = self.machine("north", "Press 3", "PR-0003", "high")
        ids["press4"] = self.machine("north", "Press 4", "PR-0004", "normal")
        ids["oven"] = self.machine("north", "Hardening oven", "OV-0001", "low")
        ids["press5"] = self.machine("north", "Press 5", "PR-0005", "high")
        ids["robot"] = self.machine("east", "Robot cell", "RB-0007", "normal")

    def machine(self, plant: str, name: str, tag: str, criticality: str) -> str:
        ids = self.world.ids
        made = estate.create_machine(
            actor=self.owner, plant=ids[plant], gateway=ids[f"gateway-{plant}"], name=name, line="Line 1", tag=tag,
            criticality=criticality, answering=self.owner.public_id, drain_s=7200,  # still running down when looked at
        ).public_id  # fmt: skip
        controller = estate.add_device(actor=self.owner, machine=made, name="Controller", address="192.168.10.5")
        panel = estate.add_device(actor=self.owner, machine=made, name="Operator panel", address="192.168.10.6")
        estate.add_service(actor=self.owner, device=controller.public_id, name="Registers", protocol="modbus", port=502)
        estate.add_service(actor=self.owner, device=controller.public_id, name="Program", protocol="s7", port=102)
        estate.add_service(actor=self.owner, device=panel.public_id, name="Panel", protocol="http", port=80)
        return made

    def rules(self) -> None:
        ids = self.world.ids
        ids["rule"] = access.create_rule(
            actor=self.owner, organisation=self.organisation, supplier=ids["presses"],
            machines=[ids["press3"], ids["press4"], ids["robot"]], max_minutes=480,
            windows="Mon-Sun 00:00-24:00",
        ).public_id  # fmt: skip
        stopped = lock(
            actor=self.owner, organisation=self.organisation, kind=Locked.LINE, thing=f"{ids['east']}/Line 1",
            reason="conveyor is being moved",
        )  # fmt: skip
        lift(actor=self.owner, lock=stopped.public_id, reason="moved")
        lock(
            actor=self.owner, organisation=self.organisation, kind=Locked.MACHINE, thing=ids["oven"],
            reason="lid is open",
        )  # fmt: skip
        access.create_rule(
            actor=self.owner, organisation=self.organisation, supplier=ids["drives"], machines=[ids["oven"]],
            max_minutes=60, needs_approval=False,
        )  # fmt: skip

    def inspected(self) -> None:
        """A machine under a function profile: asked for, and one session with refusals."""
        ids = self.world.ids
        set_profile(actor=self.owner, organisation=self.organisation, name="setpoints of line 1", clauses=[
            *OBSERVING, parse_clause("write on holding 100-119, coil 5 between 0 and 500 at most 2 per 1 s"),
        ])  # fmt: skip
        access.create_rule(
            actor=self.owner, organisation=self.organisation, supplier=ids["presses"], machines=[ids["press5"]],
            profile="setpoints of line 1", only_decoded=True,
        )  # fmt: skip
        Gateway.objects.filter(public_id=ids["gateway-north"]).update(inspects=" ".join(info.name for info in ALL))
        ids["inspected-waiting"] = access.make_request(
            actor=Person.objects.get(public_id=ids["passkey"]), machine=ids["press5"], reason="Order 4730", minutes=60
        ).public_id
        self.granted("technician", "press5", "Order 4731: speed of the belt")
        session = live(self.session("technician", "press5"))
        refused(session)
        held(session)
        ids["session-inspected"] = session.public_id
        add_signal(
            actor=self.owner, organisation=self.organisation, machine=ids["press5"], kind="button",
            name="Shift leader, line 1", where=Where("file", place="button"),
        )  # fmt: skip
        begin_maintenance(
            actor=self.owner, organisation=self.organisation, machine=ids["press5"], reason="belt change",
            ends_at=timezone.now() + timedelta(hours=8),
        )  # fmt: skip

    def granted(self, character: str, machine: str, reason: str) -> tuple[str, str]:
        person = Person.objects.get(public_id=self.world.ids[character])
        asked = access.make_request(actor=person, machine=self.world.ids[machine], reason=reason, minutes=240)
        grant = access.approve(actor=self.owner, request=asked.public_id, reason="Shift lead is informed.")
        return asked.public_id, grant.public_id

    def session(self, character: str, machine: str) -> Session:
        person = Person.objects.get(public_id=self.world.ids[character])
        opened = remote_sessions.start_session(
            actor=person, machine=self.world.ids[machine], key=p256(), address="198.51.100.7"
        )
        return opened.session

    def looked_into(self, session: str) -> str:
        """The owners may look through it, as a guardian said; the last request waits."""
        readers = ["owner", *(f"owner-{language}" for language in LANGUAGES), "head"]
        for name in (*readers, "signer"):
            duty = Duty.GUARDIAN if name == "signer" else Duty.READER
            appoint(actor=self.owner, organisation=self.organisation, person=self.world.ids[name], duty=duty)
        signer, why = Person.objects.get(public_id=self.world.ids["signer"]), "The press stopped after this session"
        for name in readers:
            reader = Person.objects.get(public_id=self.world.ids[name])
            asked = playback.ask(actor=reader, session=session, reason=why, reference="INC-12", hours=24).public_id
            if name != "head":
                playback.decide(actor=signer, playback=asked, allowed=True)
        return asked

    def history(self) -> None:
        ids = self.world.ids
        for language in LANGUAGES:
            name = f"technician-{language}"
            ids[f"request-{language}"], ids[f"grant-{language}"] = self.granted(name, "press3", "Order 4711: seal")
            running = live(self.session(name, "press3"))
            ids[f"session-{language}"] = running.public_id
            person = Person.objects.get(public_id=ids[name])
            ids[f"waiting-{language}"] = access.make_request(
                actor=person, machine=ids["press4"], reason="Order 4712: drive reports fault F07", minutes=120,
                starts_at=timezone.now() + timedelta(hours=20),
            ).public_id  # fmt: skip
        ids["request"], ids["grant"] = self.granted("technician", "press3", "Order 4710: pressure drops")
        drained = live(self.session("technician", "press3"))
        remote_sessions.drain(actor=self.owner, session=drained.public_id, reason="Shift ends")
        ids["session-draining"] = drained.public_id
        past = live(self.session("technician", "press3"))
        remote_sessions.cut(actor=self.owner, session=past.public_id, reason="Wrong machine")
        receipt(past.public_id)
        ids["session-cut"] = past.public_id
        ids["identity"] = recorded(past.public_id)
        ids["playback"] = self.looked_into(past.public_id)
        cutting = live(self.session("technician", "press3"))
        remote_sessions.cut(actor=self.owner, session=cutting.public_id, reason="Wrong machine")
        ids["session-cutting"] = cutting.public_id
        parting = live(self.session("technician", "press3"))
        remote_sessions.cut(actor=self.owner, session=parting.public_id, reason="Wrong machine")
        ids["session-parting"] = parting.public_id
        self.granted("careless", "press3", "Order 4720: hose")
        ids["session-careless"] = live(self.session("careless", "press3")).public_id
        ids["session-opening"] = self.session("technician", "press3").public_id
        ids["waiting"] = access.make_request(
            actor=Person.objects.get(public_id=ids["passkey"]), machine=ids["press4"], reason="Order 4713", minutes=60
        ).public_id


@transaction.atomic
def live(session: Session) -> Session:
    """As the gateway reports it: accepted, two connections opened, one closed again."""
    now = timezone.now()
    session.move(SessionState.LIVE)
    session.live_at = now
    session.save()
    fields: dict[str, Any] = {
        "organisation": session.organisation.public_id, "actor": session.gateway.public_id,
        "gateway": session.gateway.public_id, "session": session.public_id,
    }  # fmt: skip
    record("order.accepted", **fields, order_seq=session.order_seq)
    for number, (name, port) in enumerate((("Registers", 502), ("Panel", 80))):
        service = session.machine.devices.get(services__name=name).services.get(name=name)
        stream = Stream.objects.create(
            session=session, public_id=f"s{number}", service=service, service_id_text=service.public_id,
            address=service.device.address, port=port, opened_at=now,
        )  # fmt: skip
        record("stream.opened", **fields, stream=stream.public_id, service=service.public_id, port=port)
    stream.closed_at, stream.how, stream.to_device, stream.from_device = now, "finished", 2310, 184_320
    stream.recognised = "tls"  # its service is called http
    stream.save()
    record("stream.closed", **fields, stream=stream.public_id, to_device=2310, from_device=184_320, how="finished")
    return session


@transaction.atomic
def refused(session: Session) -> None:
    """As the gateway tells it: one write beyond its limits, and many to what is not listed."""
    service = session.machine.devices.get(services__name="Registers").services.get(name="Registers")
    fields: dict[str, Any] = {
        "organisation": session.organisation.public_id, "actor": session.gateway.public_id, "stream": "s0",
        "gateway": session.gateway.public_id, "session": session.public_id, "service": service.public_id,
        "profile": "setpoints of line 1", "protocol": "modbus", "code": "6", "operation": "write", "route": "unit 255",
    }  # fmt: skip
    record("operation.refused", **fields, function="write-single-register", targets="holding 104", reason="value",
           count=1)  # fmt: skip
    record("operation.refused", **fields, function="write-multiple-registers", targets="holding 400-499",
           reason="target value", count=212)  # fmt: skip


def held(session: Session) -> None:
    """Two that wait, one of them with more in it than fits on a line; and one that may be repeated."""
    now, later = timezone.now(), timezone.now() + timedelta(hours=6)  # longer than any test looks
    fields: dict[str, Any] = {
        "session": session, "person": session.person, "request_sha256": bytes(32), "protocol": "modbus",
        "kind": "write", "asked_at": now, "answer_until": later,
        "service": session.machine.devices.get(services__name="Registers").services.get(name="Registers"),
    }  # fmt: skip
    HeldOperation.objects.create(
        **fields, question=b"1" * 32, held_until=later, function="write-single-register", targets="holding 104",
        values="1500", route="unit 255",
    )  # fmt: skip
    HeldOperation.objects.create(
        **fields, question=b"2" * 32, held_until=now, function="write-multiple-registers",
        targets=", ".join(f"holding {number}-{number + 9}" for number in range(200, 280, 10)),
        values=", ".join(map(str, range(65500, 65516))) + " +84", besides="restart-communications; clear-counters",
    )  # fmt: skip
    HeldOperation.objects.create(
        **fields, question=b"3" * 32, held_until=now, function="write-single-coil", targets="coil 5", values="True",
        allowed=True, decided_by=Person.objects.get(email="owner@example.test"), decided_at=later, outcome="armed",
    )  # fmt: skip


def traffic(session: str, to_device: int) -> None:
    """As the gateway's next question tells it."""
    row = Session.objects.get(public_id=session)
    with transaction.atomic():
        note_traffic(row.gateway, [StreamTraffic(session, "s0", to_device, 2 * to_device)], timezone.now())


def glance(session: str, part: int, targets: str) -> None:
    """As its gateway shows it while somebody looks on: three reads alike, and a write that was refused."""
    gateway = Session.objects.get(public_id=session).gateway.public_id
    now = int(timezone.now().timestamp() * 1000)
    registers = ("srv_a", "modbus")
    lines = [
        Seen(2 * part - 1, now, *registers, "passed", "read", "read-holding-registers", "holding 100-103", "", "", 3,
             True, "120, 121, 0, 7", ""),
        Seen(2 * part, now, *registers, "refused", "write", "write-single-register", targets, "unit 3", "1500", 1,
             False, "", ""),
    ]  # fmt: skip
    opening = keys.opening_keys()[0]
    body = Glance(bytes(32), session, part, now, lines, beyond=12)
    context = Context(opening.key_id, gateway, bytes(32), GLANCE_SEQ, bytes(32))
    recipient = X25519PublicKey.from_public_bytes(opening.key)
    glances.receive(gateway, [write_report(body, context, key=EVENT_KEYS[gateway], recipient=recipient)[0]])


def recorded(session: str) -> str:
    """As its gateway brings a recording of two chunks; return the identity that opens it."""
    row = Session.objects.select_related("organisation", "gateway").get(public_id=session)
    gateway = row.gateway.public_id
    about = About(new_id(Kind.RECORDING), session, row.organisation.public_id, gateway, bytes(32))
    made = Recording(about=about, key=EVENT_KEYS[gateway])
    made.open()
    for number in range(1, 301):
        moment = made.tick()
        asked: dict[str, Any] = {
            "protocol": "modbus", "function": "read-holding-registers", "code": "3", "kind": "read",
            "targets": [f"holding {number}"], "verdict": "passed",
        }  # fmt: skip
        if number in (120, 290):
            asked |= {"kind": "write", "function": "write-single-register", "values": [1500], "verdict": "refused",
                      "targets": ["<img src=x id=evil>"]}  # fmt: skip
        line = made.capture.operation(FIRST, asked, moment)
        if asked["verdict"] == "passed":
            made.capture.operation(FIRST, {"answers": [line], "values": [[number]]}, moment)
        if number == 150:
            made.capture.cut(FIRST, 0, (Cut(0, 8, "s7comm.password"),), moment)
            made.capture.data(FIRST, 0, [memoryview(b"*" * 8)], moment)
        if number == 200:
            made.seal()
    made.over()
    made.seal(end="session.ended")
    for number, data in enumerate(made.chunks, start=1):
        recordings.keep(Upload(gateway, about.recording, number, len(data), sha256(data)), data)
    return str(OWNER)


@transaction.atomic
def receipt(session: str) -> None:
    """What the gateway signs when the cut is done."""
    row = Session.objects.select_related("organisation", "gateway").get(public_id=session)
    row.receipt = record(
        "session.ended", organisation=row.organisation.public_id, actor=row.gateway.public_id,
        gateway=row.gateway.public_id, session=session, ending="cut", latency_ms=41,
    )  # fmt: skip
    row.move(SessionState.ENDED)
    row.ending, row.ended_at, row.latency_ms = "cut", timezone.now(), 41
    row.to_device, row.from_device = 5120, 1_250_000
    row.save()


def hashed_once() -> Any:
    """Everybody has the same password: to hash it for each of them takes twice as long as all else here."""
    once = cache(make_password)
    return patch(
        "django.contrib.auth.base_user.make_password",
        lambda password: once(password) if password else make_password(password),
    )


@hashed_once()
def make() -> World:
    maker = Maker()
    maker.people()
    maker.estate()
    maker.rules()
    maker.history()
    maker.inspected()
    maker.program()
    maker.watched_by_a_provider()
    maker.told()
    rest(maker)
    return maker.world
