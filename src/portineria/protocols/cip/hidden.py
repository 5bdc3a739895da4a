# SPDX-License-Identifier: Apache-2.0
"""Operations that carry, or are answered by, what may be a password: of these nothing is told but a length."""

from typing import Final

from portineria.protocols.cip import pccc, services
from portineria.protocols.operation import Kind, Operation

PASSWORD, SYSTEM = "cip.password", "cip.system"
_AUTHENTICATOR: Final = f"/0x{services.PASSWORDS:02x}"


def rule_of(operation: Operation) -> str:
    """By which rule it is left out of a recording, or empty: the object that keeps passwords (Volume 8), PCCC's system
    files, and what of PCCC no document describes.
    """
    if operation.code.endswith(_AUTHENTICATOR):
        return PASSWORD
    if operation.function in (pccc.SYSTEM_READ, pccc.SYSTEM_WRITE):
        return SYSTEM
    return SYSTEM if operation.kind is Kind.UNKNOWN and operation.function.startswith("pccc-") else ""
