# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a service, by the protocol that is spoken there. Said to whoever approves, before the yes."""

from enum import StrEnum

from portineria.protocols.catalogue import ALL
from portineria.protocols.inspection import ProtocolInfo

# As people write it in a declaration or a form, where it is another word than our name or title.
_ALSO = {
    "s7": "s7comm", "opcua": "opcua", "opc ua": "opcua", "modbus tcp": "modbus", "ethernet/ip": "cip",
    "iec-104": "iec104", "iec 104": "iec104", "dnp": "dnp3", "dnp 3": "dnp3",
}  # fmt: skip


class ProofLevel(StrEnum):
    DECODED = "decoded"  # each operation, with target and values
    METADATA = "metadata"  # who, when, which device and port, how much


def decoder_of(protocol: str) -> ProtocolInfo | None:
    """``protocol`` as a service names it; None where bytes mean nothing to us."""
    word = protocol.strip().casefold()
    word = _ALSO.get(word, word)
    return next((info for info in ALL if word in (info.name, info.title.casefold())), None)


def proof_level(protocol: str) -> ProofLevel:
    return ProofLevel.METADATA if decoder_of(protocol) is None else ProofLevel.DECODED
