# SPDX-License-Identifier: Apache-2.0
"""Reading a declaration: what is refused, and that each refusal names its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portineria.control.declaration.document import FILE_BYTES, Faulty, parse_declaration, read_declaration

EXAMPLE = Path(__file__).resolve().parents[3] / "docs/howto/example-plant.toml"
HEAD = 'organisation = { name = "Owner\'s plant" }\n'
MACHINE = '[[machine]]\nplant = "North"\nname = "Press {n}"\ngateway = "cabinet 4"\n'
DEVICE = '[[machine.device]]\nname = "{name}"\naddress = "{address}"\n'
LONG = "x" * 10_000


def faults(text: str) -> list[str]:
    with pytest.raises(Faulty) as refused:
        parse_declaration((HEAD + text).encode())
    return list(refused.value.faults)


def test_the_example_of_the_handbook_is_read() -> None:
    declaration = read_declaration(EXAMPLE)
    assert [machine.name for machine in declaration.machine] == ["Press 3"]
    assert [service.port for device in declaration.machine[0].device for service in device.services] == [502, 102, 80]


def test_names_and_addresses_are_kept_in_one_form() -> None:
    text = MACHINE.format(n=" 3 ") + DEVICE.format(name=" PLC  1", address=" 2001:DB8::0:5 ")
    text += '[[person]]\nname = "A"\nemail = " Technician@Example.com"\nrole = "technician"\n'
    declaration = parse_declaration((HEAD + text).encode())
    machine = declaration.machine[0]
    assert (machine.name, machine.device[0].name, machine.device[0].address) == ("Press 3", "PLC 1", "2001:db8::5")
    assert declaration.person[0].email == "technician@example.com"


def test_the_third_machine_with_a_bad_address_is_named_by_its_place() -> None:
    text = "".join(MACHINE.format(n=n) + DEVICE.format(name="PLC", address="192.0.2.1") for n in (1, 2))
    text += MACHINE.format(n=3) + DEVICE.format(name="PLC", address="plc.example")
    assert faults(text) == [
        "machine[2].device[0].address: an IPv4 or IPv6 address; gateways ask no name server",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("plant = 3", "plant: Expected `array`, got `int`"),
        ('[plant]\nname = "North"', "plant: Expected `array`, got `table`"),
        ('[[plant]]\nname = 3\ntime_zone = "UTC"', "plant[0].name: "),
        ('[[plant]]\ntime_zone = "UTC"', 'plant[0]: the key "name" is missing'),
        ('[[plant]]\nname = "N"\ntime_zone = "UTC"\ncountry = "IT"', 'plant[0]: there is no key "country" here'),
        ('plants = ["North"]', 'there is no key "plants" here'),
        ('[[plant]]\nname = "N"\ntime_zone = "Europe/Roma"', "plant[0].time_zone: "),
        ('[[plant]]\nname = "N"\ntime_zone = "../../etc/passwd"', "plant[0].time_zone: "),
        (f'[[plant]]\nname = "{LONG}"\ntime_zone = "UTC"', "plant[0].name: 1 to 120 printable characters"),
        ('[[plant]]\nname = "a\\u001b[2Jb"\ntime_zone = "UTC"', "plant[0].name: 1 to 120 printable characters"),
        ('[[plant]]\nname = " "\ntime_zone = "UTC"', "plant[0].name: "),
        ('[[plant]]\nname = "N"\ntime_zone = "UTC"\nlines = ["1", "1"]', "plant[0].lines[1]: 1 is there already"),
        ('[[plant]]\nname = "N"\ntime_zone = "UTC"\nlines = [""]', "plant[0].lines: "),
        ('[[plant]]\nname = "N"\ntime_zone = "UTC"\n' * 2, "plant[1].name: N is there already"),
        ('[[supplier]]\nname = "A  B"\n[[supplier]]\nname = "A B"', "supplier[1].name: A B is there already"),
        (MACHINE.format(n=1) * 2, "machine[1].name: North/Press 1 is there already"),
        (MACHINE.format(n=1) + "drain_s = -1", "machine[0].drain_s: "),
        (MACHINE.format(n=1) + "drain_s = true", "machine[0].drain_s: Expected `int`, got `bool`"),
        (MACHINE.format(n=1) + "hold_s = 2026-11-22", "machine[0].hold_s: "),
        (MACHINE.format(n=1) + "hold_s = 99999999999999999999999", "machine[0].hold_s: "),
        (MACHINE.format(n=1) + 'criticality = "urgent"', "machine[0].criticality: one of low, normal, high"),
        (MACHINE.format(n=1) + 'on_silence = "wait"', "machine[0].on_silence: one of drain, cut, until_expiry"),
        (MACHINE.format(n=1) + f'tag = "{LONG}"', "machine[0].tag: 1 to 60 printable characters"),
        (MACHINE.format(n=1) + DEVICE.format(name="a", address="0.0.0.0"), "machine[0].device[0].address: "),
        (MACHINE.format(n=1) + DEVICE.format(name="a", address="224.0.0.1"), "machine[0].device[0].address: "),
        (MACHINE.format(n=1) + DEVICE.format(name="a", address="fe80::1%eth0"), "machine[0].device[0].address: "),
        (MACHINE.format(n=1) + DEVICE.format(name="a", address="192.0.2.1") * 2, "machine[0].device[1].name: "),
        ('[[person]]\nname = "A"\nemail = "nobody"\nrole = "operator"', "person[0].email: not an e-mail address"),
        ('[[person]]\nname = "A"\nemail = "a@example.com"\nrole = "root"', "person[0].role: one of administrator, "),
        (
            '[[person]]\nname = "A"\nemail = "a@example.com"\nrole = "operator"\nsupplier = "S"',
            "person[0].role: people of a supplier are technicians",
        ),
        (
            '[[person]]\nname = "A"\nemail = "a@example.com"\nrole = "operator"\n'
            '[[person]]\nname = "B"\nemail = "A@example.com"\nrole = "operator"',
            "person[1].email: a@example.com is there already",
        ),
        ('[[rule]]\nsupplier = "S"\nmachines = []', "rule[0].machines: "),
        ('[[rule]]\nmachines = ["M"]', "rule[0]: either a supplier, a group or a person"),
        ('[[rule]]\nsupplier = "S"\nperson = "a@example.com"\nmachines = ["M"]', "rule[0]: either a supplier"),
        ('[[rule]]\nsupplier = "S"\nmachines = ["M"]\nmax_minutes = 10081', "rule[0].max_minutes: "),
        ('[[rule]]\nsupplier = "S"\nmachines = ["M"]\nneeds_approval = "no"', "rule[0].needs_approval: "),
        ("x = " + "[" * 5000, "not a TOML file"),
        ("x = ", "not a TOML file"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, place: str) -> None:
    found = faults(text)
    assert len(found) == 1
    assert found[0].startswith(place)


@pytest.mark.parametrize("services", ['{ name = "a", protocol = "modbus", port = 0 }', '{ name = "a", port = 502 }'])
def test_a_bad_service_is_named_by_its_place(services: str) -> None:
    text = MACHINE.format(n=1) + DEVICE.format(name="PLC", address="192.0.2.1")
    (fault,) = faults(f"{text}services = [{{ name = 'm', protocol = 'modbus', port = 502 }}, {services}]")
    assert fault.startswith("machine[0].device[0].services[1]")


def test_two_services_of_a_device_share_neither_name_nor_port() -> None:
    services = ", ".join(f"{{ name = '{name}', protocol = 'modbus', port = {port} }}" for name, port in
                         [("a", 1), ("a", 2), ("b", 2)])  # fmt: skip
    text = MACHINE.format(n=1) + DEVICE.format(name="PLC", address="192.0.2.1") + f"services = [{services}]"
    assert faults(text) == [
        "machine[0].device[0].services[1].name: a is there already",
        "machine[0].device[0].services[2].port: 2 is there already",
    ]


def test_a_machine_with_more_services_than_an_order_holds_is_refused() -> None:
    services = ", ".join(f"{{ name = 's{port}', protocol = 'tcp', port = {port} }}" for port in range(1, 258))
    text = MACHINE.format(n=1) + DEVICE.format(name="PLC", address="192.0.2.1") + f"services = [{services}]"
    assert faults(text) == ["machine[0]: a machine has at most 256 services"]


def test_a_file_that_is_missing_too_long_or_not_text_is_refused(tmp_path: Path) -> None:
    long, binary = tmp_path / "long.toml", tmp_path / "binary.toml"
    long.write_bytes(b"#" * (FILE_BYTES + 1))
    binary.write_bytes(b"\xff\xfe\x00")
    for path, why in ((tmp_path / "none.toml", "No such file"), (long, "longer than"), (binary, "not a text in UTF-8")):
        with pytest.raises(Faulty, match=why):
            read_declaration(path)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_after_a_good_head_are_read_or_refused(tail: bytes) -> None:
    try:
        parse_declaration(HEAD.encode() + tail)
    except Faulty as error:
        found = error.faults
    else:
        found = ("read",)
    assert found


SCALARS = st.one_of(st.integers().map(str), st.booleans().map(lambda b: str(b).lower()), st.sampled_from(
    ['""', '"North"', '"a@example.com"', '"technician"', "1.5", "nan", "[]", "{}", '["a"]', "1979-05-27", '"\\u0000"']
))  # fmt: skip
KEYS = st.sampled_from(["name", "plant", "lines", "role", "email", "port", "machines", "device", "supplier", "zone"])
TABLES = st.sampled_from(["plant", "machine", "machine.device", "supplier", "person", "rule", "organisation", "zone"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TABLES, st.dictionaries(KEYS, SCALARS)), max_size=5))
def test_any_tables_are_read_or_refused(tables: list[tuple[str, dict[str, str]]]) -> None:
    text = "".join(
        f"[[{name}]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for name, keys in tables
    )
    try:
        parse_declaration((HEAD + text).encode())
    except Faulty as error:
        found = error.faults
    else:
        found = ("read",)
    assert found


YAML_EXAMPLE = EXAMPLE.with_suffix(".yaml")
HEAD_YAML = "organisation: {name: Owner's plant}\n"


def faults_yaml(text: str) -> list[str]:
    with pytest.raises(Faulty) as refused:
        parse_declaration((HEAD_YAML + text).encode())
    return list(refused.value.faults)


def test_the_example_says_the_same_in_yaml() -> None:
    assert read_declaration(YAML_EXAMPLE) == read_declaration(EXAMPLE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("plant: [{name: North, time_zone: UTC, country: IT}]", 'plant[0]: there is no key "country" here'),
        ("plant: [{name: no, time_zone: UTC}]", "plant[0].name: Expected `str`, got `bool`"),
        ("plant: [{name: 3, time_zone: UTC}]", "plant[0].name: Expected `str`, got `int`"),
        ("plant: [{name: N, name: M, time_zone: UTC}]", "line 2, column 19: name stands there twice"),
        ("organisation: {name: Rival presses}", "line 2, column 1: organisation stands there twice"),
        ("plant: &a [{name: N, time_zone: UTC}]", "line 2, column 8: aliases and anchors are not read"),
        ("plant: !!python/object/apply:os.system ['id']", "line 2, column 8: tags are not read"),
        *(
            (f"rule: [{{machines: [A], max_minutes: {number}}}]", "is read otherwise than it looks: quote it")
            for number in ("010", "1:30", "0x1f", "-0_7", "9" * 5000)
        ),
        ("rule: [{<<: {person: a@b.example}, machines: [A]}]", "line 2, column 9: << is read otherwise"),
        ("plant: [{? [a] : b}]", "line 2, column 12: a key is a word"),
        (f"plant: {'[' * 40}", "nested too deeply"),
        ("plant: [", "did not find expected node content"),
        ("---\nplant: []", "expected a single document"),
        ("plant: [{name: N, time_zone: UTC}]\n- 3", "not a YAML file: line 3"),
        ("person: [{name: A, email: a@b.example, role: technician, until: 2026-02-30}]", "not a YAML file: day is out"),
    ],
)
def test_what_yaml_would_make_something_else_of_is_refused(text: str, fault: str) -> None:
    [said] = faults_yaml(text)
    assert fault in said


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "[organisation]\n", "organisation = 3", "- a", "a", "%YAML 9.9\n---\na: b"]
)
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(Faulty):
        parse_declaration(text.encode())


@given(st.text(st.sampled_from(list("organisation:name{}[]&*!|>-?#'\"\n 0129.%")), max_size=60))
@settings(max_examples=300)
def test_no_text_brings_anything_but_a_refusal(text: str) -> None:
    for head in ("", HEAD_YAML, HEAD_YAML + "plant: "):
        with contextlib.suppress(Faulty):
            parse_declaration((head + text).encode())
