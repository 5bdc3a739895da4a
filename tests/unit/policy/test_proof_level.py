# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.policy.proof_level import ProofLevel, decoder_of, proof_level
from portineria.protocols.catalogue import ALL


@pytest.mark.parametrize("protocol", ["modbus", "Modbus/TCP", " MODBUS ", "modbus tcp"])
def test_a_protocol_is_known_by_its_name_and_its_title(protocol: str) -> None:
    assert proof_level(protocol) is ProofLevel.DECODED
    found = decoder_of(protocol)
    assert found is not None
    assert found.name == "modbus"


@pytest.mark.parametrize("protocol", ["ssh", "tcp", "https", "", "modbusx", "mod"])
def test_of_everything_else_only_metadata_is_seen(protocol: str) -> None:
    assert proof_level(protocol) is ProofLevel.METADATA


def test_every_decoder_is_found_by_its_own_name() -> None:
    assert [decoder_of(info.name) for info in ALL] == list(ALL)
