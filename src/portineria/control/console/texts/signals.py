# SPDX-License-Identifier: Apache-2.0
"""Consent signals in the words of a plant."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portineria.policy.consent import SetBy, SignalKind

KINDS: dict[str, "str | Promise"] = {
    SignalKind.LOCK_OUT: _("lock-out open"),
    SignalKind.GUARD: _("guard closed"),
    SignalKind.KEY: _("key switch"),
    SignalKind.BUTTON: _("shift leader's button"),
}
SOURCES: dict[str, "str | Promise"] = {
    "file": _("a file at the gateway, or a pin (GPIO)"),
    "modbus-coil": _("Modbus coil"),
    "modbus-discrete": _("Modbus discrete input"),
    "opcua-node": _("OPC UA node"),
}
SET_BY: dict[str, "str | Promise"] = {
    SetBy.UNINSPECTED: _("the same device can be reached without inspection"),
    SetBy.SAME_TARGET: _("the function profile lets it be written"),
    SetBy.OTHER_PROTOCOL: _("the function profile lets the device be changed by another protocol"),
    SetBy.OTHER_PERMISSION: _("another permission or rule for the same people reaches the device"),
}


def kinds(words: str) -> str:
    """As a list for people, of kinds apart by blanks."""
    return ", ".join(str(KINDS.get(word, word)) for word in words.split())
