# SPDX-License-Identifier: Apache-2.0
"""The file that declares an organisation's estate: its shape, and reading it. Nothing here asks the database.

A key that is left out says nothing: new things get the ordinary value, existing ones keep theirs.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from portineria.control.access.level import MOST_APPROVALS, MOST_LEVELS, MOST_NAMED
from portineria.control.access.models import MOST_FACTOR_MINUTES
from portineria.control.access.place import MOST_PLACES
from portineria.control.declaration import clean_fields, word_lists
from portineria.control.declaration.asked import DeclaredReasons, DeclaredSignal, DeclaredTraining
from portineria.control.declaration.clean_fields import Clean
from portineria.control.declaration.notation import Unread, values_of
from portineria.control.declaration.surroundings import DeclaredAnswers, DeclaredDelegation, DeclaredSink
from portineria.control.estate.free_reads import clean_free_reads
from portineria.control.estate.models import Criticality, OnSilence, RecordingMode
from portineria.control.estate.services import SERVICES_PER_MACHINE, clean_routes
from portineria.control.identity.models import Language, Role
from portineria.control.identity.services import BadField, clean_name
from portineria.core.errors import Invalid
from portineria.policy.consent import SignalKind
from portineria.policy.function_profile import BUILT_IN, OBSERVING, BadProfile, Profile, encode_profile
from portineria.policy.profile_text import parse_clause
from portineria.policy.windows import BadWindow, parse_windows, windows_text

FILE_BYTES = 4 << 20  # some 10,000 machines; what is longer was not meant
CleanWords = Callable[[Iterable[str]], tuple[str, ...]]
_PLACE = re.compile(r"(?P<why>.*) - at `\$\.?(?P<where>.*)`", re.DOTALL)


class Faulty(Invalid):
    """Each fault names its place: ``machine[2].device[0].address: …``, counted from 0."""

    code = "declaration.faulty"

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    CLEANED: ClassVar[dict[str, Clean | CleanWords]] = {}

    def __post_init__(self) -> None:
        for field, clean in self.CLEANED.items():
            given = getattr(self, field)
            if given is not None:
                try:
                    msgspec.structs.force_setattr(self, field, clean(given))
                except BadField as error:
                    raise ValueError(str(error)) from error  # msgspec adds where it stands


class DeclaredOrganisation(Entry, frozen=True):
    name: str
    CLEANED: ClassVar = {"name": clean_fields.named("name")}


class EntryWithLines(Entry, frozen=True, kw_only=True):
    lines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            msgspec.structs.force_setattr(self, "lines", tuple(clean_name(line, "lines") for line in self.lines))
        except BadField as error:
            raise ValueError(str(error)) from error


class DeclaredZone(EntryWithLines, frozen=True):
    name: str
    CLEANED: ClassVar = {"name": clean_fields.named("name")}


class DeclaredPlant(EntryWithLines, frozen=True):
    name: str
    time_zone: str
    zones: tuple[DeclaredZone, ...] = ()
    CLEANED: ClassVar = {"name": clean_fields.named("name"), "time_zone": clean_fields.time_zone}

    def zone_of(self, line: str) -> str | None:
        """None where the file says nothing about it."""
        return next((zone.name for zone in self.zones if line in zone.lines), None)


class DeclaredService(Entry, frozen=True):
    name: str
    protocol: str
    port: Annotated[int, Meta(ge=1, le=65535)]
    own_routes: tuple[str, ...] = ()
    client_timeout: Annotated[int, Meta(ge=0, le=600)] = 0  # seconds; 0: as usual for the protocol
    free_reads: tuple[str, ...] = ()
    CLEANED: ClassVar = {"name": clean_fields.named("name", 60), "protocol": clean_fields.named("protocol", 24)}

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            clean_routes(self.own_routes)
            clean_free_reads(self.free_reads)
        except BadField as error:
            raise ValueError(str(error)) from error


class DeclaredDevice(Entry, frozen=True):
    name: str
    address: str
    services: tuple[DeclaredService, ...] = ()
    CLEANED: ClassVar = {"name": clean_fields.named("name"), "address": clean_fields.address}


class DeclaredMachine(Entry, frozen=True):
    plant: str
    name: str
    gateway: str  # id or name
    line: str | None = None
    tag: str | None = None
    criticality: str | None = None
    answering: str | None = None  # e-mail address
    deputy: str | None = None  # likewise
    drain_s: Annotated[int, Meta(ge=0, le=86400)] | None = None
    hold_s: Annotated[int, Meta(ge=0, le=3600)] | None = None
    on_silence: str | None = None
    recording: str | None = None
    device: tuple[DeclaredDevice, ...] = ()
    labels: tuple[str, ...] | None = None  # [] takes them away
    CLEANED: ClassVar = {
        "plant": clean_fields.named("plant"),
        "name": clean_fields.named("name"),
        "gateway": clean_fields.named("gateway"),
        "line": clean_fields.line,
        "tag": clean_fields.tag,
        "criticality": clean_fields.one_of("criticality", Criticality.values),
        "answering": clean_fields.email("answering"),
        "deputy": clean_fields.email("deputy"),
        "on_silence": clean_fields.one_of("on_silence", OnSilence.values),
        "recording": clean_fields.one_of("recording", RecordingMode.values),
        "labels": word_lists.labels,
    }


class DeclaredSupplier(Entry, frozen=True):
    name: str
    CLEANED: ClassVar = {"name": clean_fields.named("name")}


class DeclaredPerson(Entry, frozen=True):
    name: str
    email: str
    role: str
    supplier: str | None = None
    language: str | None = None  # as their browser asks, until they choose
    time_zone: str = "UTC"
    sponsor: str | None = None  # e-mail address of who answers for them; of suppliers' people, as ``until``
    until: date | None = None  # the last day, of UTC
    CLEANED: ClassVar = {
        "sponsor": clean_fields.email("sponsor"),
        "name": clean_fields.named("name"),
        "email": clean_fields.email("email"),
        "role": clean_fields.one_of("role", [role for role in Role.values if role not in (Role.SERVICE, Role.ANALYST)]),
        "supplier": clean_fields.named("supplier"),
        "language": clean_fields.one_of("language", Language.values),
        "time_zone": clean_fields.time_zone,
    }


class DeclaredProfile(Entry, frozen=True):
    """``observe``, where ``observes``, and what is allowed besides: lines as ``policy.profile_text`` reads them. What
    only ``hold`` names passes after somebody said yes to it.
    """

    name: str
    allow: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    observes: bool = True
    notes_only: bool = False
    CLEANED: ClassVar = {"name": clean_fields.named("name", 60)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name in BUILT_IN:
            raise ValueError(f"name: {self.name} is built in")
        for key, lines in (("allow", self.allow), ("hold", self.hold)):
            try:
                encode_profile(Profile(self.name, tuple(map(parse_clause, lines))))
            except BadProfile as error:
                raise ValueError(f"{key}: {error}") from error
        try:
            encode_profile(self.profile)
        except BadProfile as error:
            raise ValueError(f"allow and hold: {error}") from error

    @property
    def profile(self) -> Profile:
        allowed = (*(OBSERVING if self.observes else ()), *map(parse_clause, self.allow))
        return Profile(self.name, allowed, self.notes_only, tuple(map(parse_clause, self.hold)))


class DeclaredLevel(Entry, frozen=True):
    """A group, or people, or neither: whoever approves."""

    approvals: Annotated[int, Meta(ge=1, le=MOST_APPROVALS)] = 1
    group: str | None = None
    people: Annotated[tuple[str, ...], Meta(max_length=MOST_NAMED)] = ()  # e-mail addresses
    CLEANED: ClassVar = {"group": clean_fields.named("group"), "people": word_lists.emails("people")}


class DeclaredRule(Entry, frozen=True):
    machines: tuple[str, ...] = ()  # name, or plant/name, or id
    supplier: str | None = None
    person: str | None = None  # e-mail address
    max_minutes: Annotated[int, Meta(ge=1, le=10080)] | None = None
    needs_approval: bool | None = None
    profile: str | None = None  # name; "" takes it away
    only_decoded: bool | None = None
    windows: tuple[str, ...] | None = None  # as policy.windows reads them; [] is always
    approvals: Annotated[int, Meta(ge=1, le=MOST_APPROVALS)] | None = None  # of how many people
    needs_reference: bool | None = None
    needs_recording: bool | None = None
    watcher: str | None = None  # e-mail address; "" is nobody
    needs_maintenance: bool | None = None
    signals: tuple[SignalKind, ...] | None = None  # kinds of consent signals; [] is none
    group: str | None = None
    places: Annotated[tuple[str, ...], Meta(max_length=MOST_PLACES)] | None = (
        None  # "line North/Line 1"; [] takes them away
    )
    only_services: tuple[str, ...] | None = None  # by name or protocol; [] is every service
    trainings: tuple[str, ...] | None = None  # names; [] is none
    factor_minutes: Annotated[int, Meta(ge=0, le=MOST_FACTOR_MINUTES)] | None = None  # 0 is whenever
    needs_listed_reason: bool | None = None
    needs_device: bool | None = None
    least_standing: Literal["", "A", "B", "C", "D"] | None = None  # of a supplier; "" is none
    watchers: tuple[str, ...] | None = None  # e-mail addresses besides ``watcher``; [] is nobody
    levels: Annotated[tuple[DeclaredLevel, ...], Meta(max_length=MOST_LEVELS)] | None = None  # [] is none
    CLEANED: ClassVar = {
        "supplier": clean_fields.named("supplier"),
        "person": clean_fields.email("person"),
        "watcher": clean_fields.nobody_or_email("watcher"),
        "group": clean_fields.named("group"),
        "only_services": word_lists.services,
        "watchers": word_lists.emails("watchers"),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.machines and not self.places:
            raise ValueError("machines: names no machine and no place")
        if self.levels and self.approvals is not None:
            raise ValueError("approvals: each of the levels says how many")
        if self.levels is not None and [(one.group, one.people) for one in self.levels] == [(None, ())]:
            msgspec.structs.force_setattr(self, "approvals", self.levels[0].approvals)  # as it is kept
            msgspec.structs.force_setattr(self, "levels", ())
        if self.places is not None:
            msgspec.structs.force_setattr(self, "places", tuple(" ".join(place.split()) for place in self.places))
        try:
            parse_windows("\n".join(self.windows or ()))
        except BadWindow as error:
            raise ValueError(str(error)) from error

    @property
    def windows_text(self) -> str | None:
        return None if self.windows is None else windows_text(parse_windows("\n".join(self.windows)))


class DeclaredGroup(Entry, frozen=True):
    name: str
    people: tuple[str, ...] | None = None  # e-mail addresses of whom it has by hand; left out: as it is
    CLEANED: ClassVar = {"name": clean_fields.named("name")}


class Declaration(Entry, frozen=True):
    organisation: DeclaredOrganisation
    plant: tuple[DeclaredPlant, ...] = ()
    machine: tuple[DeclaredMachine, ...] = ()
    supplier: tuple[DeclaredSupplier, ...] = ()
    person: tuple[DeclaredPerson, ...] = ()
    profile: tuple[DeclaredProfile, ...] = ()
    rule: tuple[DeclaredRule, ...] = ()
    sink: tuple[DeclaredSink, ...] = ()
    notice: dict[str, DeclaredAnswers] = {}  # by language
    delegation: tuple[DeclaredDelegation, ...] = ()
    group: tuple[DeclaredGroup, ...] = ()
    training: tuple[DeclaredTraining, ...] = ()
    reasons: tuple[DeclaredReasons, ...] = ()
    signal: tuple[DeclaredSignal, ...] = ()


def read_declaration(path: Path, organisation: str = "") -> Declaration:
    """``organisation``: in place of the one that is named there.

    Raise Faulty for what cannot be read and for what contradicts itself.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise Faulty([str(error.strerror)]) from error
    if len(data) > FILE_BYTES:
        raise Faulty([f"longer than {FILE_BYTES >> 20} MiB"])
    return parse_declaration(data, organisation)


def parse_declaration(data: bytes, organisation: str = "") -> Declaration:
    try:
        values = values_of(data)
    except Unread as error:
        raise Faulty([str(error)]) from error
    if organisation:
        values["organisation"] = {"name": organisation}
    try:
        declaration = msgspec.convert(values, Declaration)
    except msgspec.ValidationError as error:
        raise Faulty([_in_plain_words(str(error))]) from error
    if faults := _contradictions(declaration):
        raise Faulty(faults)
    return declaration


def _in_plain_words(message: str) -> str:
    found = _PLACE.fullmatch(message)
    why, where = (found["why"], found["where"]) if found else (message, "")
    why = re.sub(r"Object contains unknown field `(.*)`", r'there is no key "\1" here', why, flags=re.DOTALL)
    why = re.sub(r"Object missing required field `(.*)`", r'the key "\1" is missing', why)
    why = why.replace("`object`", "`table`").replace(" | null`", "`")
    field = re.match(r"([a-z_]+): ", why)  # ours, of a field of the table at ``where``
    if field:
        return f"{where}.{why}" if where else why
    return f"{where}: {why}" if where else why


def _contradictions(declaration: Declaration) -> list[str]:
    faults = _twice("plant", [plant.name for plant in declaration.plant])
    for i, plant in enumerate(declaration.plant):
        faults += _twice(f"plant[{i}].lines", plant.lines, "")
        faults += _twice(f"plant[{i}].zones", [zone.name for zone in plant.zones])
        faults += _in_two_zones(f"plant[{i}]", plant)
    faults += _twice("supplier", [supplier.name for supplier in declaration.supplier])
    faults += _twice("person", [person.email for person in declaration.person], ".email")
    for i, person in enumerate(declaration.person):
        if person.supplier is not None and person.role != Role.TECHNICIAN:
            faults.append(f"person[{i}].role: people of a supplier are technicians")
        if person.supplier is None and (person.sponsor or person.until):
            faults.append(f"person[{i}].{'sponsor' if person.sponsor else 'until'}: of people of a supplier only")
    faults += _twice("sink", [sink.name for sink in declaration.sink])
    faults += _twice("delegation", [one.provider for one in declaration.delegation], ".provider")
    faults += _twice("profile", [profile.name for profile in declaration.profile])
    faults += _twice("machine", [f"{machine.plant}/{machine.name}" for machine in declaration.machine])
    for i, machine in enumerate(declaration.machine):
        faults += _in_machine(f"machine[{i}]", machine)
    for i, rule in enumerate(declaration.rule):
        if (rule.supplier, rule.person, rule.group).count(None) != 2:
            faults.append(f"rule[{i}]: either a supplier, a group or a person")
    faults += _twice("training", [one.name for one in declaration.training])
    faults += _twice("reasons", [one.plant for one in declaration.reasons], ".plant")
    faults += _twice("signal", [f"{one.plant}/{one.machine}: {one.name}" for one in declaration.signal])
    return faults + _twice("group", [group.name for group in declaration.group])


def _in_two_zones(place: str, plant: DeclaredPlant) -> list[str]:
    faults, taken = [], set()
    for i, zone in enumerate(plant.zones):
        for j, line in enumerate(zone.lines):
            if line in taken:
                faults.append(f"{place}.zones[{i}].lines[{j}]: {line} stands in a zone already")
            taken.add(line)
    return faults


def _in_machine(place: str, machine: DeclaredMachine) -> list[str]:
    faults = _twice(f"{place}.device", [device.name for device in machine.device])
    for i, device in enumerate(machine.device):
        inside = f"{place}.device[{i}].services"
        faults += _twice(inside, [service.name for service in device.services])
        faults += _twice(inside, [str(service.port) for service in device.services], ".port")
    if sum(len(device.services) for device in machine.device) > SERVICES_PER_MACHINE:
        faults.append(f"{place}: a machine has at most {SERVICES_PER_MACHINE} services")
    return faults


def _twice(place: str, values: Iterable[str], key: str = ".name") -> list[str]:
    seen: Counter[str] = Counter()
    faults = []
    for i, value in enumerate(values):
        if seen[value]:
            faults.append(f"{place}[{i}]{key}: {value} is there already")
        seen[value] += 1
    return faults
