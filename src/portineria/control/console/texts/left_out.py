# SPDX-License-Identifier: Apache-2.0
"""What was left out of a recording, by its rule (`portineria.recording.rules`), as people read it."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

_PASSWORD = pgettext_lazy("left out of a recording", "password")
_OF_A_PAGE = pgettext_lazy("left out of a recording", "password of a web page")
_PROGRAM = pgettext_lazy("left out of a recording", "program")
_FILE = pgettext_lazy("left out of a recording", "content of a file")
CUT_RULES: Mapping[str, "str | Promise"] = {
    "ftp.password": _PASSWORD,
    "http.authorization": pgettext_lazy("left out of a recording", "sign-in of a web page"),
    "http.cookie": pgettext_lazy("left out of a recording", "cookie of a web page"),
    "http.form": _OF_A_PAGE,
    "http.json": _OF_A_PAGE,
    "telnet.password": _PASSWORD,
    "telnet.echo": pgettext_lazy("left out of a recording", "echo of a password"),
    "s7comm.password": _PASSWORD,
    "s7comm.block": pgettext_lazy("left out of a recording", "program block"),
    "s7comm.file": _FILE,
    "opcua.password": _PASSWORD,
    "opcua.token": pgettext_lazy("left out of a recording", "sign-in token"),
    "opcua.identity": pgettext_lazy("left out of a recording", "sign-in that could not be read"),
    "opcua.file": _FILE,
    "cip.program": _PROGRAM,
    "cip.password": _PASSWORD,
    "cip.system": pgettext_lazy("left out of a recording", "system data of a processor"),
    "iec104.file": _FILE,
    "dnp3.file": _FILE,
    "dnp3.password": _PASSWORD,
    "dnp3.terminal": pgettext_lazy("left out of a recording", "words of a terminal"),
    "dnp3.file-key": pgettext_lazy("left out of a recording", "key that opens files"),
    "modbus.umas-program": _PROGRAM,
    "modbus.umas-login": pgettext_lazy("left out of a recording", "reservation of a controller"),
    "unfinished": pgettext_lazy("left out of a recording", "message that never ended"),
    "unreadable": pgettext_lazy("left out of a recording", "message that could not be read"),
    "unplaced": pgettext_lazy("left out of a recording", "message with a secret"),
}


def left_out(rule: str) -> str:
    """With the rule's own name, by which the documentation finds it."""
    return f"{CUT_RULES[rule]} ({rule})" if rule in CUT_RULES else rule
