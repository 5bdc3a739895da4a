# SPDX-License-Identifier: Apache-2.0
"""Events as lines of a file, in whichever format the reader of it wants. Pure."""

from collections.abc import Callable

from portineria.sinks.cef.message import message as cef
from portineria.sinks.leef.message import message as leef
from portineria.sinks.ocsf.message import message as ocsf
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.record import encode, record
from portineria.sinks.syslog.message import message as syslog


def own(event: Outgoing) -> bytes:
    return encode(record(event))


WRITERS: dict[str, Callable[[Outgoing], bytes]] = {
    "ocsf": ocsf,
    "json": own,
    "syslog": syslog,
    "cef": cef,
    "leef": leef,
}
