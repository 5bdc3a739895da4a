# SPDX-License-Identifier: Apache-2.0
"""A stock client: it shows its ordinary error where something was refused, and goes on. The device's log is empty."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from pycomm3 import CIPDriver, LogixDriver, ResponseError, Services, SLCDriver

from portineria.protocols.inspection import Request
from portineria.protocols.operation import Kind
from tests.integration.protocols.cip.gate import Gate, gate
from tests.unit.protocols.cip.device import Device

READS = {Kind.IDENTIFY, Kind.READ, Kind.SESSION}
PRIVILEGE = "Permission denied"  # its words for general status 0x0F
OPERATIONS = 10_000
SECONDS = 30  # 1.3 on a quiet machine
MODE = bytes.fromhex("074d0012345678 0f000100 80 01")  # program mode


def only_reads(request: Request) -> bool:
    return all(each.kind in READS for each in request.operations)


def everything(request: Request) -> bool:
    return True


@pytest.fixture
def watched() -> Iterator[Gate]:
    with gate(Device(), only_reads) as found:
        yield found


def connect(found: Gate, driver: type[CIPDriver] = LogixDriver) -> CIPDriver:
    """To the processor in slot 0 of the backplane, which LogixDriver takes for granted."""
    return driver(f"127.0.0.1:{found.port}" + ("/backplane/0" if driver is CIPDriver else ""))


def test_a_client_that_may_do_everything_notices_nothing() -> None:
    with gate(Device(), everything) as found, connect(found) as plc:
        assert isinstance(plc, LogixDriver)
        assert plc.info["product_name"] == "Testplc/1"
        assert set(plc.tags) == {"Speed", "Temperature", "Parts"}
        assert plc.write("Speed", 120).error is None
        assert plc.read("Speed").value == 120
        assert [each.error for each in plc.write(("Parts", 7), ("Temperature", 1.5))] == [None, None]
        assert [each.value for each in plc.read("Parts", "Temperature")] == [7, 1.5]
        assert plc.write("Parts.3", True).error is None
    assert found.device.done == [
        "Speed = 78000000", "Parts = 07000000", "Temperature = 0000c03f", "Parts = 0f000000",
    ]  # fmt: skip
    assert found.connections == 1
    kinds = [operation.kind for each in found.requests for operation in each.operations]
    assert Kind.UNKNOWN not in kinds
    assert kinds.count(Kind.WRITE) == 4
    assert {operation.route for each in found.requests for operation in each.operations} == {(), ("port 1 link 0",)}
    assert all(each.to is not None for each in found.answers)


def test_a_refused_write_is_an_error_and_the_next_read_works(watched: Gate) -> None:
    with connect(watched) as plc:
        assert isinstance(plc, LogixDriver)
        assert PRIVILEGE in (plc.write("Speed", 120).error or "")
        assert plc.read("Speed").value == 0
        for each in plc.write(("Speed", 1), ("Parts", 2)):
            assert PRIVILEGE in (each.error or "")
        assert PRIVILEGE in (plc.write("Parts.3", True).error or "")
        assert [each.value for each in plc.read("Speed", "Parts")] == [0, 0]
    assert len(watched.refused) == 3
    assert watched.device.done == []
    assert watched.connections == 1


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize(
    ("service", "class_", "instance"), [(Services.stop, 0x8E, 1), (Services.reset, 1, 1), (b"\x4b", 0x67, 1)]
)
def test_generic_messages_are_refused_over_either_way(
    watched: Gate, service: bytes, class_: int, instance: int, connected: bool
) -> None:
    with connect(watched, CIPDriver) as plc:
        way = {"connected": True} if connected else {"connected": False, "unconnected_send": True}
        answer = plc.generic_message(service=service, class_code=class_, instance=instance, **way)
        assert PRIVILEGE in (answer.error or "")
        identity = plc.generic_message(service=Services.get_attributes_all, class_code=1, instance=1, **way)
        assert identity.error is None
    assert watched.device.done == []
    assert watched.device.running
    assert watched.refused[0].operations[0].route == ("port 1 link 0",)


def test_a_refused_connection_is_tried_once_more_in_its_older_form_and_given_up() -> None:
    def no_connections(request: Request) -> bool:
        return not request.operations[0].function.startswith("forward-open")

    with gate(Device(), no_connections) as found, connect(found, CIPDriver) as plc:
        with pytest.raises(ResponseError, match="not connected"):
            plc.generic_message(service=Services.get_attributes_all, class_code=1, instance=1)
        identity = plc.generic_message(
            service=Services.get_attributes_all, class_code=1, instance=1, connected=False, unconnected_send=True
        )
        assert identity.error is None
    assert [each.operations[0].code for each in found.refused] == ["0x5b/0x06", "0x54/0x06"]
    assert found.device.connections == {}


def test_ten_thousand_operations_after_a_refusal_need_no_new_connection(watched: Gate) -> None:
    """The sequence count is the client's own and passes as it is; every hundredth request is refused as well."""
    with connect(watched, CIPDriver) as plc:
        began = time.monotonic()
        for number in range(OPERATIONS):
            refused = number % 100 == 0
            answer = plc.generic_message(
                service=Services.set_attribute_single if refused else Services.get_attribute_single,
                class_code=4, instance=100, attribute=3, request_data=b"\1\2\3\4" if refused else b"",
            )  # fmt: skip
            if refused:
                assert PRIVILEGE in (answer.error or "")
            else:
                assert (answer.error, answer.value) == (None, b"\0\0\0\0")
        took = time.monotonic() - began
    print(f"{OPERATIONS} operations in {took:.1f} s")
    assert took < SECONDS
    assert len(watched.refused) == OPERATIONS // 100
    assert watched.device.done == []
    assert watched.connections == 1


def test_a_client_of_a_slc_reads_and_its_writes_program_and_mode_are_refused(watched: Gate) -> None:
    """By what PCCC does inside one service: profiles admit its reads, and neither its writes nor its system files."""
    with connect(watched, SLCDriver) as plc:
        assert isinstance(plc, SLCDriver)
        assert plc.get_processor_type() == "1747-L551"
        assert (plc.read("N7:3").value, plc.read("F8:1").value) == (0, 0.0)
        assert [plc.write(("N7:3", 5)).error, plc.write(("F8:1", 1.5)).error] != [None, None]
        assert plc.read("N7:3{2}").value == [0, 0]
        with pytest.raises(ResponseError):
            plc.get_file_directory()
        mode = plc.generic_message(service=b"\x4b", class_code=0x67, instance=1, request_data=MODE)
        assert PRIVILEGE in (mode.error or "")
        assert plc.read("N7:3").error is None
    told = [operation.function for each in watched.refused for operation in each.operations]
    assert told == ["pccc-typed-logical-masked-write"] * 2 + ["pccc-system-file-read", "pccc-change-mode"]
    assert (watched.device.done, watched.device.processor.mode, watched.connections) == ([], 6, 1)


def test_a_client_of_a_slc_that_may_do_everything_notices_nothing() -> None:
    with gate(Device(), everything) as found, connect(found, SLCDriver) as plc:
        assert isinstance(plc, SLCDriver)
        assert plc.write(("N7:3", 5)).error is None
        assert plc.read("N7:3").value == 5
        assert plc.read("N9:0").error is not None  # there is no such file
    assert found.device.done == ["89/7:3 = 0500"]
    [write] = [each for request in found.requests for each in request.operations if each.kind is Kind.WRITE]
    assert (str(write.targets[0]), write.values) == ("data file N7:3", (5,))
    assert [each.error for each in found.answers if each.error] == [
        "PCCC status 0x50: addressing problem, or memory is protected"
    ]
