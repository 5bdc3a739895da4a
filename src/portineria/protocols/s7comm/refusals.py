# SPDX-License-Identifier: Apache-2.0
"""The protocol's own no, as stations with a protection level say it. Source: see ``header``.

Variables: each item answers "access not allowed". Other jobs: an acknowledgement whose error says that the function
is not permitted in the current protection level; so does the error of userdata.
"""

from portineria.protocols.s7comm import functions as known
from portineria.protocols.s7comm.header import ACK, ACK_DATA, JOB, Pdu, answer, userdata
from portineria.protocols.s7comm.userdata import REQUEST, RESPONSE, Parameter
from portineria.protocols.s7comm.variables import REFUSED

_NO_DATA = bytes((0x0A, 0, 0, 0))  # object does not exist, no data


def to_client(pdu: Pdu, head: Parameter | None) -> bytes:
    """What a client hears instead of an answer; nothing, where none is due."""
    if pdu.rosctr == JOB:
        return _job(pdu)
    if head is None or head.kind != REQUEST:
        return b""
    error = known.NOT_PERMITTED_TEST if head.group == known.PROGRAMMER else known.NOT_PERMITTED
    told = bytes((0, 1, 0x12, 8, 0x12, RESPONSE << 6 | head.group, head.function, head.sequence, 0, 0))
    return userdata(pdu.reference, told + error.to_bytes(2, "big"), _NO_DATA)


def to_station(pdu: Pdu) -> bytes:
    """What a station hears that waits for a client's answer (it fetches the blocks of a download): it gives up."""
    return answer(ACK_DATA, pdu.reference, known.NOT_PERMITTED, pdu.parameter[:1])


def _job(pdu: Pdu) -> bytes:
    function = pdu.parameter[0]
    if function == known.READ:
        return answer(ACK_DATA, pdu.reference, 0, pdu.parameter[:2], bytes((REFUSED, 0, 0, 0)) * pdu.parameter[1])
    if function == known.WRITE:
        return answer(ACK_DATA, pdu.reference, 0, pdu.parameter[:2], bytes((REFUSED,)) * pdu.parameter[1])
    return answer(ACK, pdu.reference, known.NOT_PERMITTED)
