# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.policy.proof_level import ProofLevel, decoder_of, proof_level
from portineria.protocols.catalogue import ALL


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("modbus", ["modbus", "Modbus/TCP", " MODBUS ", "modbus tcp"]),
        ("s7comm", ["s7", "S7"]),
        ("opcua", ["OPC UA", "opcua"]),
        ("cip", ["EtherNet/IP", "cip"]),
        ("iec104", ["IEC 104", "iec-104"]),
        ("dnp3", ["DNP", "dnp 3"]),
    ],
)
def test_a_protocol_is_known_by_its_name_its_title_and_what_people_write(name: str, written: list[str]) -> None:
    for protocol in written:
        found = decoder_of(protocol)
        assert found is not None
        assert (found.name, proof_level(protocol)) == (name, ProofLevel.DECODED)


@pytest.mark.parametrize("protocol", ["ssh", "tcp", "https", "", "modbusx", "mod"])
def test_of_everything_else_only_metadata_is_seen(protocol: str) -> None:
    assert proof_level(protocol) is ProofLevel.METADATA


def test_every_decoder_is_found_by_its_own_name_and_title() -> None:
    assert [decoder_of(info.name) for info in ALL] == [decoder_of(info.title) for info in ALL] == list(ALL)
