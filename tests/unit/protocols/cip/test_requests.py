# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest

from portineria.policy.function_profile import Meter, Profile, judge
from portineria.policy.profile_text import parse_clause
from portineria.protocols import catalogue
from portineria.protocols.cip import INFO, recognise, services
from portineria.protocols.inspection import Undecodable
from portineria.protocols.operation import Kind, Target
from tests.unit.protocols.cip.conversation import (
    CONTEXT,
    MANAGER,
    ROUTER,
    ask,
    bundle,
    connected,
    forward_close,
    forward_open,
    operation,
    path,
    request,
    sent_on,
    symbol,
    unconnected,
    wrapped,
)

SPEED = symbol("Speed")


@pytest.mark.parametrize(
    ("message", "function", "kind", "target"),
    [
        (request(0x01, "2001 2401"), "get-attributes-all", Kind.IDENTIFY, "identity instance 1"),
        (request(0x0E, "2004 2464 3003"), "get-attribute-single", Kind.READ, "assembly instance 100 attribute 3"),
        (
            request(0x10, "2004 2464 3003", "01"),
            "set-attribute-single",
            Kind.WRITE,
            "assembly instance 100 attribute 3",
        ),
        (
            request(0x10, "20f5 2401 3003", "01"),
            "set-attribute-single",
            Kind.PROGRAM_WRITE,
            "tcp/ip interface instance 1 attribute 3",
        ),
        (
            request(0x04, "208b 2401", "0100 0600 0000000000000000"),
            "set-attribute-list",
            Kind.TIME,
            "wall clock instance 1 attribute 6",
        ),
        (request(0x05, "2001 2401"), "reset", Kind.STOP, "identity instance 1"),
        (request(0x05, "2004 2401"), "reset", Kind.CONTROL, "assembly instance 1"),
        (request(0x06, "208e 2401"), "start", Kind.START, "class 0x8e instance 1"),
        (request(0x07, "208e 2401"), "stop", Kind.STOP, "class 0x8e instance 1"),
        (request(0x08, "2004 2400"), "create", Kind.PROGRAM_WRITE, "assembly instance 0"),
        (request(0x16, "2001 2401"), "save", Kind.PROGRAM_WRITE, "identity instance 1"),
        (request(0x4C, SPEED, "0100"), "read-tag", Kind.READ, "tag Speed"),
        (request(0x52, SPEED, "0100 00000000"), "read-tag-fragmented", Kind.READ, "tag Speed"),
        (request(0x4C, "206b 2500 0201", "0100"), "read-tag", Kind.READ, "symbol instance 258"),
        (request(0x4C, "206c 2500 0201", "00000000 1000"), "read-template", Kind.READ, "template instance 258"),
        (request(0x4C, "2037 24c8", "00"), "file-initiate-download", Kind.FILE, "file instance 200"),
        (request(0x4C, "2072 2400", "0100"), "service-4c", Kind.UNKNOWN, "class 0x72 instance 0"),
        (request(0x55, "206b 2500 0000", "0100 0100"), "get-instance-attribute-list", Kind.READ, "symbol instance 0"),
        (
            request(0x55, symbol("Program:Main") + path("206b 2400"), "0100 0100"),
            "get-instance-attribute-list",
            Kind.READ,
            "symbol Program:Main instance 0",
        ),
        (request(0x4B, "2044 2401", "0000 0100"), "modbus-read-discrete-inputs", Kind.READ, "modbus instance 1"),
        (request(0x51, "2044 2401", "05"), "service-51", Kind.UNKNOWN, "modbus instance 1"),
        (request(0x56, MANAGER, "0100"), "get-connection-data", Kind.READ, "connection manager instance 1"),
    ],
)
def test_a_service_is_understood_by_class(message: bytes, function: str, kind: Kind, target: str) -> None:
    found = operation(message)
    assert (found.function, found.kind, str(found.targets[0]), found.route) == (function, kind, target, ())


def test_elements_and_members_are_part_of_the_name_of_a_tag() -> None:
    where = symbol("Program:Main") + symbol("Press") + path("2803 2a00 05000000") + symbol("Speed")
    found = operation(request(0x4C, where, "0a00"))
    assert found.targets == (Target("tag", name="Program:Main.Press[3][5].Speed", count=10),)


@pytest.mark.parametrize(
    ("service", "data", "values"),
    [
        (0x4D, "c400 0200 78000000 b4000000", (120, 180)),
        (0x4D, "ca00 0100 0000c03f", (1.5,)),
        (0x4D, "c400 0100 78000000 0300 4d04", (120,)),  # what is behind the last element is nobody's
        (0x4D, "c400 0200 78000000", (120,)),
        (0x4D, "c400 0100 7800", (b"\x78\0",)),
        (0x4D, "c100 0100 01", (True,)),
        (0x4D, "a002 3412 0100 0102030405", (b"\1\2\3\4\5",)),
        (0x53, "c300 0400 04000000 0100 0200", (1, 2)),
        (0x53, "a002 3412 0100 00000000 0102", (b"\1\2",)),
        (0x4E, "0200 0100 feff", (1, 0xFFFE)),
    ],
)
def test_what_is_written_to_a_tag_is_told(service: int, data: str, values: tuple[object, ...]) -> None:
    found = operation(request(service, SPEED, data))
    assert (found.kind, found.values) == (Kind.WRITE, values)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (request(0x4C, SPEED, "0100 00"), "a read with something after it"),
        (request(0x4D, SPEED, "c400"), "a write that ends early"),
        (request(0x52, path("206b 2401 2006 2401"), "0100 00000000"), "symbol and connection manager"),
        (request(0x4C, SPEED + path("2004 2401"), "0100"), "a symbol of an assembly"),
        (request(0x0A, "2001 2401", b""), "a bundle for the identity"),
        (request(0x0E, "0100 2001 2401 3001"), "a hop within a request"),
        (request(0x0E, "2001 2401 3001 3002"), "two attributes"),
        (request(0x0E, "2001 2401 2402"), "two instances"),
        (request(0x0E, "2001 2401 3c00 3001"), "an extended logical segment"),
        (request(0x0E, "2401"), "no class"),
        (request(0x0E, ""), "no path"),
        (request(0x03, "2001 2401", "0200 0100"), "a list shorter than it says"),
        (request(0x4E, MANAGER, "00"), "a Forward Close of one byte"),
        (request(0x54, MANAGER, "00"), "a Forward Open of one byte"),
        (sent_on(request(0x01, "2001 2401"), ""), "a way of no hops"),
        (sent_on(request(0x01, "2001 2401"), "0100 2001"), "a way to a class"),
    ],
)
def test_what_is_not_certain_is_unknown(message: bytes, why: str) -> None:
    assert operation(message).kind is Kind.UNKNOWN, why


def test_a_list_names_its_attributes() -> None:
    found = operation(request(0x03, "2001 2401", "0200 0100 0700"))
    assert [str(target) for target in found.targets] == [
        "identity instance 1 attribute 1",
        "identity instance 1 attribute 7",
    ]


def test_everything_in_a_bundle_is_listed_in_order() -> None:
    inner = bundle(request(0x4D, SPEED, "c400 0100 01000000"), request(0x07, "208e 2401"))
    found = ask(bundle(request(0x4C, SPEED, "0100"), inner, request(0x4C, SPEED, "0100"))).operations
    assert [each.kind for each in found] == [Kind.READ, Kind.WRITE, Kind.STOP, Kind.READ]


def test_the_route_of_an_unconnected_send_is_told_hop_by_hop() -> None:
    address = "120d" + b"192.168.1.20\0".hex() + "00"
    message = sent_on(
        sent_on(bundle(request(0x07, "208e 2401"), request(0x4C, SPEED, "0100")), "0102"), "0100" + address
    )
    for found in ask(message).operations:
        assert found.route == ("port 1 link 0", "port 2 link 192.168.1.20", "port 1 link 2")


def test_a_port_beyond_14_has_a_number_of_its_own() -> None:
    assert operation(sent_on(request(0x01, "2001 2401"), "0f12 3405")).route == ("port 13330 link 5",)


@pytest.mark.parametrize(
    ("where", "transport", "kind", "function", "told"),
    [
        ("0100 2002 2401", 0xA3, 2, "forward-open", Kind.SESSION),
        ("2002 2401", 0xA2, 2, "forward-open", Kind.SESSION),
        ("0100 2004 2465 2c66 2c64", 0x01, 2, "forward-open-io", Kind.CONTROL),
        ("2002 2401", 0x01, 2, "forward-open-io", Kind.CONTROL),
        ("0100 2004 2465 2c66 2c64 8001 0500", 0xA3, 2, "forward-open-io", Kind.CONTROL),
        ("0100 2004 2465", 0xA3, 0, "forward-open-null", Kind.CONTROL),
        ("0100 2067 2401", 0xA3, 2, "forward-open-other", Kind.UNKNOWN),
        ("0100 2002 2401", 0xA6, 2, "forward-open-other", Kind.UNKNOWN),
        ("2002 2401 0100", 0xA3, 2, "forward-open-other", Kind.UNKNOWN),
    ],
)
def test_opening_a_connection_is_told_by_what_it_carries(
    where: str, transport: int, kind: int, function: str, told: Kind
) -> None:
    found = operation(forward_open(where, transport=transport, kind=kind))
    assert (found.function, found.kind) == (function, told)
    assert found.route == (("port 1 link 0",) if "0100" in where else ())


def test_closing_a_connection_leads_where_it_was_opened() -> None:
    found = operation(forward_close())
    assert (found.function, found.kind, found.route) == ("forward-close", Kind.SESSION, ("port 1 link 0",))


PCCC = "07 0100 78563412"  # size of the requester's id, vendor, serial number


@pytest.mark.parametrize(
    ("data", "function", "kind", "target", "values"),
    [
        ("0f00 0100 a2 02 07 89 00 00", "pccc-typed-logical-read", Kind.READ, "data file N7:0", ()),
        ("0f00 0100 a2 04 07 89 00 00", "pccc-typed-logical-read", Kind.READ, "data file N7:0", ()),
        ("0f00 0100 aa 04 07 89 02 00 0100 0200", "pccc-typed-logical-write", Kind.WRITE, "data file N7:2", (1, 2)),
        (
            "0f00 0100 aa 04 08 8a ff0001 00 0000c03f",
            "pccc-typed-logical-write",
            Kind.WRITE,
            "data file F8:256",
            (1.5,),
        ),
        ("0f00 0100 a9 02 07 89 01 0500", "pccc-typed-logical-write-2", Kind.WRITE, "data file N7:1", (5,)),
        ("0f00 0100 80 07", "pccc-change-mode", Kind.MODE, "", (b"\7",)),
        ("0f00 0100 50", "pccc-download-all-request", Kind.PROGRAM_WRITE, "", ()),
        ("0600 0100 03", "pccc-diagnostic-status", Kind.IDENTIFY, "", ()),
        ("0800 0100 0000 01", "pccc-unprotected-write", Kind.WRITE, "", (b"\0\0\1",)),
        ("0f00 0100 ee", "pccc-0f-ee", Kind.UNKNOWN, "", ()),
        ("0f00 0100 a2 02 07 89", "pccc-typed-logical-read", Kind.UNKNOWN, "", (3,)),
        ("0f00 0100 a2 02 07 89 00 00 01", "pccc-typed-logical-read", Kind.UNKNOWN, "data file N7:0", (1,)),
        ("4f00 0100 a2 02 07", "pccc-4f-00", Kind.UNKNOWN, "", (3,)),
        ("0f", "pccc-unknown", Kind.UNKNOWN, "", (8,)),
        ("0f00 0100 ee 31323334", "pccc-0f-ee", Kind.UNKNOWN, "", (4,)),
        ("0f00 0100 88 0102", "pccc-execute-multiple", Kind.UNKNOWN, "", (2,)),
        ("0f00 0100 a1 08 00 03 2b", "pccc-system-file-read", Kind.PROGRAM_READ, "system file 0x03/0:43", ()),
        ("0f00 0100 a2 0a 00 22 00 00", "pccc-system-file-read", Kind.PROGRAM_READ, "system file 0x22/0:0", ()),
        (
            "0f00 0100 aa 02 00 03 07 00 3132",
            "pccc-system-file-write",
            Kind.PROGRAM_WRITE,
            "system file 0x03/0:7",
            (2,),
        ),
        (
            "0f00 0100 ab 02 00 03 07 00 ffff 0100",
            "pccc-system-file-write",
            Kind.PROGRAM_WRITE,
            "system file 0x03/0:7",
            (4,),
        ),
        ("0f00 0100 aa 02 00 a1 00 00 0100", "pccc-force-write", Kind.CONTROL, "data file force O0:0", (1,)),
        ("0f00 0100 a2 02 00 a2 00 00", "pccc-typed-logical-read", Kind.READ, "data file force I0:0", ()),
        ("0f00 0100 01 0000 0500 06 07 1e 0a", "pccc-word-range-read", Kind.READ, "data file 7:30", ()),
        ("0f00 0100 01 0000 0500 07 00 07 1e 0a", "pccc-word-range-read", Kind.READ, "data file 7:30", ()),
        ("0f00 0100 68 0000 0100 0e 04 02 02 0100", "pccc-typed-read", Kind.READ, "data file 4:2.2", ()),
        (
            "0f00 0100 00 0000 0100 06 03 ff2c01 0100",
            "pccc-word-range-write",
            Kind.WRITE,
            "data file 3:300",
            (b"\1\0",),
        ),
        (
            "0f00 0100 67 0000 0100 0024 4e373a30 00 42 0100",
            "pccc-typed-write",
            Kind.WRITE,
            "data file N7:0",
            (b"\x42\1\0",),
        ),
        (
            "0f00 0100 00 0000 0100 07 01 03 00 0100",
            "pccc-system-file-write",
            Kind.PROGRAM_WRITE,
            "system file 1/3:0",
            (2,),
        ),
        ("0f00 0100 68 0000 0100 05 03 01 0100", "pccc-system-file-read", Kind.PROGRAM_READ, "system file 3/0:1", ()),
        ("0f00 0100 00 0000 0100 16 03", "pccc-word-range-write", Kind.UNKNOWN, "", (6,)),
        ("0f00 0100 01 0000 0100 06 07 1e", "pccc-word-range-read", Kind.UNKNOWN, "", (7,)),
        (
            "0f00 0100 26 06 07 1e ffff 0100 06 07 1f ffff 0200",
            "pccc-read-modify-write",
            Kind.WRITE,
            "data file 7:30data file 7:31",
            (bytes.fromhex("06071effff010006071fffff0200"),),
        ),
        (
            "0f00 0100 26 06 07 1e ffff 0100 07 02 07 1f ffff 0200",
            "pccc-system-file-write",
            Kind.PROGRAM_WRITE,
            "data file 7:30system file 2/7:31",
            (15,),
        ),
        ("0f00 0100 26 06 07 1e ffff 01", "pccc-read-modify-write", Kind.UNKNOWN, "", (6,)),
        ("0f00 0100 08 0000", "pccc-plc-3-physical-write", Kind.PROGRAM_WRITE, "", (b"\0\0",)),
    ],
)
def test_pccc_has_functions_of_its_own(
    data: str, function: str, kind: Kind, target: str, values: tuple[object, ...]
) -> None:
    found = operation(request(0x4B, "2067 2401", PCCC + data))
    assert found.kind is kind
    assert found.values == values
    assert "".join(map(str, found.targets)) == target
    assert found.function == function


@pytest.mark.parametrize(
    ("command", "body", "function", "kind", "answered"),
    [
        (0x00, b"anything", "nop", Kind.SESSION, False),
        (0x04, b"", "list-services", Kind.IDENTIFY, True),
        (0x63, b"", "list-identity", Kind.IDENTIFY, True),
        (0x64, b"", "list-interfaces", Kind.IDENTIFY, True),
        (0x65, b"\1\0\0\0", "register-session", Kind.SESSION, True),
        (0x65, b"\1\0", "register-session", Kind.UNKNOWN, True),
        (0x66, b"", "unregister-session", Kind.SESSION, False),
        (0x72, b"", "indicate-status", Kind.DIAGNOSTIC, True),
        (0x73, b"", "cancel", Kind.SESSION, False),
        (0x01, b"", "command-0001", Kind.UNKNOWN, True),
        (0x6F, struct.pack("<IHH", 0, 0, 0), "common-packet", Kind.UNKNOWN, True),
        (0x6F, struct.pack("<IHHHHHH", 1, 0, 2, 0, 0, 0xB2, 0), "common-packet", Kind.UNKNOWN, True),
        (0x6F, struct.pack("<IHHHHHHHH", 0, 0, 3, 0, 0, 0xB2, 0, 0xB2, 0), "common-packet", Kind.UNKNOWN, True),
    ],
)
def test_the_encapsulation_has_commands_of_its_own(
    command: int, body: bytes, function: str, kind: Kind, answered: bool
) -> None:
    (found,) = INFO.begin().from_client(wrapped(command, body))
    assert (found.operations[0].function, found.operations[0].kind) == (function, kind)
    assert found.expects_answer is answered


def test_socket_addresses_may_follow_a_forward_open() -> None:
    body = bytearray(unconnected(forward_open()))[24:]
    body[6] = 3
    (found,) = INFO.begin().from_client(wrapped(0x6F, bytes(body) + struct.pack("<HH16s", 0x8001, 16, b"")))
    assert found.operations[0].function == "forward-open"


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<HHII8sI", 0x65, 4, 0, 0, CONTEXT, 1) + b"\1\0\0\0",  # options
        struct.pack("<HH", 0x6F, 65512) + bytes(20),  # longer than any
        wrapped(0x6F, b"\0" * 5),
        wrapped(0x6F, struct.pack("<IHHHH", 0, 0, 1, 0, 5)),  # an item beyond the end
        wrapped(0x6F, struct.pack("<IHHHHB", 0, 0, 1, 0, 0, 1)),  # a byte after the last item
        unconnected(b"\x0e"),
        unconnected(b"\x8e\0"),  # an answer
        unconnected(request(0x0E, "2001 2401")[:-1]),
        unconnected(b"\x4c\x02\x91\x05Sp"),  # a symbol beyond its path
        unconnected(b"\x4c\x01\x25\0"),
        unconnected(request(0x0A, ROUTER, "0000")),  # a bundle of nothing
        unconnected(request(0x0A, ROUTER, "0100 0600 0000 0e00")),  # with bytes before the first part
        unconnected(request(0x0A, ROUTER, "0200 0600 0600 0e00")),  # twice the same part
        unconnected(request(0x52, MANAGER, "0a05 ff00 0e00")),
        unconnected(request(0x52, MANAGER, "0a05 0200 0e00 0100")),
    ],
)
def test_impossible_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Undecodable) as caught:
        INFO.begin().from_client(data)
    assert caught.value.code == "protocol.cip"


@pytest.mark.parametrize("wrap", [bundle, sent_on])
def test_nesting_is_bounded(wrap: object) -> None:
    assert callable(wrap)
    message = request(0x0E, "2001 2401 3001")
    for _ in range(4):
        message = wrap(message)
    assert len(ask(message).operations) == 1
    with pytest.raises(Undecodable):
        ask(wrap(message))


def test_a_bundle_of_too_many_is_refused() -> None:
    with pytest.raises(Undecodable):
        ask(bundle(*[request(0x01, "2001")] * 5000))


def test_a_message_on_a_connection_nobody_saw_opening_says_so() -> None:
    (found,) = INFO.begin().from_client(connected(5, 1, request(0x01, "2001 2401")))
    assert found.operations[0].route == ("a connection whose opening was not seen",)


def test_it_is_recognised_by_its_first_bytes() -> None:
    first = struct.pack("<HHII8sI", 0x65, 4, 0, 0, CONTEXT, 0)
    assert recognise(first)
    assert recognise(first[:8])
    assert recognise(struct.pack("<HHII8sI", 0x63, 0, 0, 0, bytes(8), 0))
    for other in (
        b"\0" * 24,
        b"\0\1\0\0\0\6\1\3\0\0\0\1",
        b"\3\0\0\x16\x11\xe0\0\0",
        b"SSH-2.0-OpenSSH",
        first[:7],
        b"",
    ):
        assert not recognise(other)


def test_it_is_in_the_catalogue_with_each_function_once() -> None:
    assert INFO in catalogue.ALL
    names = [each.name for each in INFO.functions]
    assert len(names) == len(set(names)) > 100


@pytest.mark.parametrize("class_", [*range(0x64, 0xC8), 0x0300, 0x04FF])
def test_what_only_a_maker_knows_is_an_unknown_function(class_: int) -> None:
    """With its number and class in the words of a refusal; what all objects understand stays what it is."""
    assert services.is_of_a_maker(class_)
    where = f"20{class_:02x} 2401" if class_ < 256 else f"2100 {class_.to_bytes(2, 'little').hex()} 2401"
    for service in range(services.LAST_COMMON + 1, 0x64):
        if (class_, service) in services.SPECIFIC or (class_, service) == (services.PCCC, services.EXECUTE_PCCC):
            continue
        found = operation(request(service, where, "01"))
        assert (found.kind, found.function) == (Kind.UNKNOWN, f"service-{service:02x}")
    read, write = (operation(request(service, where + " 3001", "01")).kind for service in (0x0E, 0x10))
    assert (read, write) == (Kind.READ, Kind.TIME if class_ == services.WALL_CLOCK else Kind.PROGRAM_WRITE)


def test_an_object_of_a_maker_has_its_public_name_or_its_number() -> None:
    named = {class_: str(operation(request(0x4C, f"20{class_:02x} 2401")).targets[0]) for class_ in (0x70, 0x72, 0xAC)}
    assert named == {0x70: "task instance 1", 0x72: "class 0x72 instance 1", 0xAC: "program changes instance 1"}
    assert all(source for _, source in services.OF_ROCKWELL.values())


def test_only_a_clause_that_says_unknown_admits_what_only_a_maker_knows() -> None:
    asked = (operation(request(0x4C, "2072 2405", "01")),)
    for clause, passes in (
        ('unknown of cip on "class 0x72"', True),
        ('unknown of cip on "class 0x73"', False),
        ("function service-4c", False),
        ("read, write, control, program-read, program-write, mode, firmware, file", False),
    ):
        profile = Profile("service", (parse_clause(clause),))
        assert bool(judge(profile, asked, Meter(profile), 0.0).denials) is not passes, clause


def test_what_the_keeper_of_passwords_is_told_is_the_length_of_something() -> None:
    found = operation(request(0x10, "2061 2401 3005", "0400 70617373"))
    assert (found.kind, found.values, str(found.targets[0])) == (
        Kind.MODE, (6,), "password authenticator instance 1 attribute 5",
    )  # fmt: skip
