# SPDX-License-Identifier: Apache-2.0
"""What people read for the events, states and reasons that the rest of the program speaks in.

The texts of error codes are in ``control.problem``: the API needs them too.
"""

from django.utils.translation import gettext_lazy as _

from portineria.control.console.texts.events import EVENTS, FIELD_NAMES
from portineria.control.console.texts.reasons import HOW_CLOSED, REASONS
from portineria.control.console.texts.states import Shown, state

__all__ = ["OPERATOR", "SOMEBODY", "Shown", "event", "field_name", "how_closed", "protocol", "reason", "state"]

OPERATOR = _("operator of the server")
SOMEBODY = {"gw": _("the gateway"), "per": _("somebody at the plant")}  # by the beginning of their ids


def event(code: str) -> str:
    return str(EVENTS.get(code, code))


def reason(code: str) -> str:
    """A reason that a gateway, a policy or a timer gave. A person's own words come back as they are."""
    return str(REASONS.get(code, code))


def how_closed(code: str) -> str:
    return str(HOW_CLOSED.get(code, code))


def field_name(name: str) -> str:
    return str(FIELD_NAMES.get(name, name))


# Names of protocols are names: the same in every language.
_PROTOCOLS = {
    "modbus": "Modbus/TCP", "s7comm": "S7", "s7": "S7", "opcua": "OPC UA", "ssh": "SSH", "http": "HTTP",
    "https": "HTTPS", "vnc": "VNC", "rdp": "RDP", "telnet": "Telnet", "ftp": "FTP",
}  # fmt: skip


def protocol(name: str) -> str:
    return _PROTOCOLS.get(name, name)
