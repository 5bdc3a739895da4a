# SPDX-License-Identifier: Apache-2.0
"""What people read for the events, states and reasons that the rest of the program speaks in.

The texts of error codes are in ``control.problem``: the API needs them too.
"""

import re
from collections.abc import Iterable

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _

from portineria.control.console.texts.event_fields import FIELD_NAMES
from portineria.control.console.texts.events import EVENTS, kind_name
from portineria.control.console.texts.reasons import ENDINGS, HOW_CLOSED, REASONS
from portineria.control.console.texts.states import Shown, state
from portineria.control.console.texts.values import KINDS, LOCKED
from portineria.policy.proof_level import ProofLevel
from portineria.protocols.recognition import UNKNOWN, title

__all__ = [
    "LOCKED", "OPERATOR", "PROOF_SHORT", "SOMEBODY", "Shown", "ending", "event", "event_codes", "field_name",
    "how_closed", "kind_name", "protocol", "reason", "recognised", "state", "windows",
]  # fmt: skip

OPERATOR = _("operator of the server")
SOMEBODY = {  # by the beginning of their ids
    "gw": _("the gateway"), "per": _("somebody at the plant"), "mac": _("a machine"), "dev": _("a device"),
    "srv": _("a service"), "sup": _("a supplier"), "pla": _("a plant"), "org": _("an organisation"),
    "rel": _("a relay"), "ses": _("a session"), "idp": _("an identity provider"), "unknown": _("somebody unknown"),
    "grp": _("a group"),
}  # fmt: skip


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # policy.windows
_DAY = re.compile(rf"\b({'|'.join(_DAYS)})\b")


def event(code: str) -> str:
    return str(EVENTS.get(code, code))


def reason(code: str) -> str:
    """A reason that a gateway, a policy or a timer gave. A person's own words come back as they are."""
    return str(REASONS.get(code, code))


def ending(code: str) -> str:
    """How a session ended, or of which class its end is."""
    return str(ENDINGS.get(code) or REASONS.get(code, code))


def kind(code: str) -> str:
    """What an operation does to a machine."""
    return str(KINDS.get(code, code))


def how_closed(code: str) -> str:
    return str(HOW_CLOSED.get(code, code))


def event_codes() -> Iterable[str]:
    return EVENTS


def field_name(name: str) -> str:
    return str(FIELD_NAMES.get(name, name))


# Names of protocols are names: the same in every language.
_PROTOCOLS = {
    "modbus": "Modbus/TCP", "s7comm": "S7", "s7": "S7", "opcua": "OPC UA", "ssh": "SSH", "http": "HTTP",
    "https": "HTTPS", "vnc": "VNC", "rdp": "RDP", "telnet": "Telnet", "ftp": "FTP", "dnp3": "DNP3",
    "cip": "EtherNet/IP", "iec104": "IEC 60870-5-104",
}  # fmt: skip


PROOF_SHORT = {ProofLevel.DECODED: _("can be decoded"), ProofLevel.METADATA: _("metadata only")}


def windows(text: str) -> str:
    """``Mon-Fri 08:00-18:00`` with the days of the language; it can be typed like that too."""
    return _DAY.sub(lambda day: str(WEEKDAYS_ABBR[_DAYS.index(day[0])]), text)


def protocol(name: str) -> str:
    return _PROTOCOLS.get(name, name)


def recognised(name: str) -> str:
    """What the bytes of a connection were."""
    return str(_("unknown protocol")) if name == UNKNOWN else _PROTOCOLS.get(name) or title(name)
