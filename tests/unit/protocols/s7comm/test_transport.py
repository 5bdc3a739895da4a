# SPDX-License-Identifier: Apache-2.0
"""Connections, their route, fragments, ends."""

from __future__ import annotations

import pytest

from portineria.protocols.operation import Kind, Target
from portineria.protocols.s7comm import INFO
from portineria.protocols.s7comm.errors import BadS7
from tests.unit.protocols.s7comm.conversation import CONFIRM, CONNECT, converse, job, message, opened, packet, told

READ = "0401120a10020001000584000000"
MARKER = "0401120a10020001000083000000"


def connect(parameters: str, *, fixed: str = "e00000000100") -> bytes:
    body = bytes.fromhex(fixed + parameters)
    return b"\3\0" + (len(body) + 5).to_bytes(2, "big") + bytes((len(body),)) + body


@pytest.mark.parametrize(
    ("called", "name", "route"),
    [
        ("c2020102", "pg rack 0 slot 2", ()),
        ("c2020301", "basic rack 0 slot 1", ()),
        ("c2021000", "0x10 rack 0 slot 0", ()),
        ("c2024d57", "MW", ()),
        ("c2020122", "pg rack 1 slot 2", ("rack 1",)),
        ("c2104f50532d524f4f542d4553494d4154", "OPS-ROOT-ESIMAT", ()),
        ("c20301020a", "01020a", ("tsap 01020a",)),
        ("c2020102c6020014c7020103", "pg rack 0 slot 2", ("subnet 0014", "rack 0 slot 3")),
        ("c2020102c801aa", "pg rack 0 slot 2", ("parameter 0xc8 aa",)),
    ],
)
def test_what_leads_behind_the_station_is_a_hop(called: str, name: str, route: tuple[str, ...]) -> None:
    if name.startswith("OPS"):
        called = "c20f" + called[4:34]
    (request,) = INFO.begin().from_client(connect("c0010ac1020100" + called))
    (found,) = request.operations
    assert (found.function, found.kind, found.targets, found.route) == (
        "connect", Kind.SESSION, (Target("tsap", name=name),), route,
    )  # fmt: skip


def test_every_request_of_a_connection_that_leads_elsewhere_says_so() -> None:
    inspection = opened(connect("c0010ac1020100c2020122"))
    (request,) = inspection.from_client(job(READ))
    assert request.operations[0].route == ("rack 1",)


def test_a_refused_connection_ends_as_if_nobody_of_that_name_were_there() -> None:
    inspection = INFO.begin()
    (request,) = inspection.from_client(CONNECT)
    assert inspection.refuse(request).to_client == bytes.fromhex("0300000b06800001000003")
    with pytest.raises(BadS7):
        inspection.from_client(job(READ))


def test_nothing_passes_before_the_station_confirmed() -> None:
    inspection = INFO.begin()
    (request,) = inspection.from_client(CONNECT)
    inspection.forward(request)
    with pytest.raises(BadS7):
        inspection.from_client(job(READ))


def test_a_message_in_fragments_reaches_the_station_in_one_piece() -> None:
    inspection, whole = opened(), message(1, READ)
    cut = packet(whole[:11], last=False) + packet(b"", last=False) + packet(whole[11:])
    (request,) = inspection.from_client(cut)
    assert (request.data, inspection.forward(request)) == (cut, packet(whole))


def test_no_fragment_exceeds_the_size_that_both_agreed_on() -> None:
    small = CONNECT.replace(b"\xc0\x01\x0a", b"\xc0\x01\x07")  # 128 bytes
    inspection = opened(small)
    items = "120a10020001000584000000" * 20
    whole = message(1, f"0414{items}")
    (request,) = inspection.from_client(packet(whole[:50], last=False) + packet(whole[50:]))
    assert inspection.forward(request) == packet(whole[:125], last=False) + packet(whole[125:250], last=False) + packet(
        whole[250:]
    )


def test_a_goodbye_may_carry_a_word() -> None:
    """python-snap7 adds a byte to its DR."""
    (request,) = opened().from_client(bytes.fromhex("0300000c0680000200010000"))
    assert request.operations[0].function == "disconnect"


@pytest.mark.parametrize("sent", ["0300000702f000", "0300000702f080"])
def test_an_empty_packet_is_a_sign_of_life(sent: str) -> None:
    inspection = opened()
    (request,) = inspection.from_client(bytes.fromhex(sent))
    assert (request.operations[0].function, request.expects_answer) == ("keep-alive", False)
    assert inspection.forward(request) == bytes.fromhex(sent)


def test_after_the_client_said_goodbye_nothing_passes() -> None:
    inspection = opened()
    (request,) = inspection.from_client(bytes.fromhex("0300000b06800002000100"))
    assert request.operations[0].function == "disconnect"
    with pytest.raises(BadS7):
        inspection.from_client(job(READ))


def test_a_station_that_declines_the_connection_is_heard() -> None:
    inspection = INFO.begin()
    (request,) = inspection.from_client(CONNECT)
    inspection.forward(request)
    (answer,) = inspection.from_device(bytes.fromhex("0300000b06800001000003"))
    assert (answer.to, answer.error) == (request, "disconnected, reason 3")


@pytest.mark.parametrize(
    "sent",
    [
        "0400000702f080",  # version
        "0301000702f080",  # reserved
        "0300000602f0",  # shorter than any
        "0300ffff02f080",  # longer than any
        "0300000803f08000",  # a DT with a variable part
        "0300000702f081",  # a numbered DT
        "0300000702f180",
        "030000070250aa",  # a reject: class 0 has none
        "0300000b07800002000100",  # length indicator
        CONFIRM.hex(),
        CONNECT.hex(),  # a second one
    ],
)
def test_what_no_class_0_transport_sends_ends_the_connection(sent: str) -> None:
    with pytest.raises(BadS7):
        opened().from_client(bytes.fromhex(sent))


@pytest.mark.parametrize("parameters", ["c0", "c002", "c00103", "c0020a0a", "c0010ac0010a"])
def test_a_connection_request_must_add_up(parameters: str) -> None:
    with pytest.raises(BadS7):
        INFO.begin().from_client(connect(parameters))
    with pytest.raises(BadS7):
        INFO.begin().from_client(connect("c2020102", fixed="e00000000120"))  # class 2


def test_endless_fragments_are_refused() -> None:
    inspection = opened()
    for _ in range(64):
        assert inspection.from_client(packet(b"2", last=False)) == []
    with pytest.raises(BadS7):
        inspection.from_client(packet(b"2", last=False))
    with pytest.raises(BadS7):
        opened().from_client(packet(bytes(5000), last=False) + packet(bytes(5000), last=False))


def test_a_pdu_may_not_be_longer_than_agreed() -> None:
    inspection, items = opened(size=240), "120a10020001000584000000"
    assert inspection.from_client(job("0413" + items * 19))
    with pytest.raises(BadS7):
        inspection.from_client(job("0414" + items * 20))


def test_requests_that_nobody_answers_do_not_pile_up() -> None:
    inspection = opened()
    for number in range(256):
        (request,) = inspection.from_client(job(MARKER, reference=number))
        inspection.forward(request)
    with pytest.raises(BadS7):
        inspection.from_client(job(MARKER))


def test_answers_find_their_jobs_in_any_order() -> None:
    inspection = opened()
    first, second = inspection.from_client(job(READ, reference=1) + job(MARKER, reference=2))
    inspection.forward(second)
    inspection.forward(first)
    value = "ff040008{:02x}"
    answers = inspection.from_device(
        told("0401", value.format(2), reference=2) + told("0401", value.format(1), reference=1)
    )
    assert [(each.to, each.values) for each in answers] == [(second, ((b"\2",),)), (first, ((b"\1",),))]
    (unasked,) = inspection.from_device(told("0401", value.format(3), reference=1))
    assert unasked.to is None


def test_recognised_by_its_first_bytes() -> None:
    assert INFO.recognise(CONNECT)
    assert INFO.recognise(CONNECT[:8])
    assert not INFO.recognise(CONNECT.replace(b"\xc2\x02\x01\x02", b"\xc2\x02\x00\x01"))  # MMS
    assert not INFO.recognise(b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0")  # RDP
    assert not INFO.recognise(b"SSH-2.0-")
    assert not INFO.recognise(b"\3\0\0\x07\x02\xf0\x80\0")


def test_a_station_that_goes_on_after_the_setup_may_offer_less() -> None:
    inspection = opened()
    converse(inspection, job("f0000001000103c0"), told("f0000001000100f0"))
    with pytest.raises(BadS7):
        inspection.from_client(job("0414" + "120a10020001000584000000" * 20))
