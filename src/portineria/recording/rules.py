# SPDX-License-Identifier: Apache-2.0
"""What each rule by which something is left out of a recording means, in a word or two: the one list of them."""

from collections.abc import Mapping, Sequence

from portineria.recording.kept import Cut

NAMED = 8  # cuts that the comment of one packet names; the index has all of them
RULES: Mapping[str, str] = {
    "ftp.password": "password",
    "http.authorization": "sign-in of a web page",
    "http.cookie": "cookie of a web page",
    "http.form": "password of a web page",
    "http.json": "password of a web page",
    "telnet.password": "password",
    "telnet.echo": "echo of a password",
    "s7comm.password": "password",
    "s7comm.block": "program block",
    "s7comm.file": "content of a file",
    "opcua.password": "password",
    "opcua.token": "sign-in token",
    "opcua.identity": "sign-in that could not be read",
    "opcua.file": "content of a file",
    "cip.program": "program",
    "cip.password": "password",
    "cip.system": "system data of a processor",
    "iec104.file": "content of a file",
    "dnp3.password": "password",
    "dnp3.file-key": "key that opens files",
    "dnp3.file": "content of a file",
    "dnp3.terminal": "words of a terminal",
    "modbus.umas-program": "program",
    "modbus.umas-login": "reservation of a controller",
    "unfinished": "message that never ended",
    "unreadable": "message that could not be read",
    "unplaced": "message with a secret",
}


def said(rule: str, size: int) -> str:
    """For whoever reads the place itself. A rule that is not known here names itself."""
    return f"cut out: {RULES.get(rule, 'bytes')}, {size} bytes, rule {rule}"


def comment_of(cuts: Sequence[Cut]) -> str:
    """For the packet whose bytes they were in."""
    more = [f"{len(cuts) - NAMED} more cut out"] if len(cuts) > NAMED else []
    return "; ".join([*(said(cut.rule, cut.size) for cut in cuts[:NAMED]), *more])
