# SPDX-License-Identifier: Apache-2.0
"""The systemd unit of a gateway, for the program of this very installation."""

from pathlib import Path, PurePosixPath

from portineria.core.errors import Conflict, NotFound

TEMPLATE = Path(__file__).with_name("portineria-gateway.service")
_PROGRAM = "@PORTINERIA@"
# ProtectHome= and PrivateTmp= of the unit: the service sees none of these, and a user of its own could not enter them.
_HIDDEN = tuple(PurePosixPath(path) for path in ("/home", "/root", "/run/user", "/tmp", "/var/tmp"))  # noqa: S108
APART = "sudo python3 -m venv /opt/portineria && sudo /opt/portineria/bin/pip install portineria"


class OutOfSight(Conflict):
    code = "gateway.unit.hidden"


class NoProgram(NotFound):
    code = "gateway.unit.program"


def unit(program: Path) -> str:
    """``program``: the absolute path of the command `portineria`. Raise NoProgram, OutOfSight."""
    if any(program.is_relative_to(folder) for folder in _HIDDEN):
        raise OutOfSight(
            f"{program} is where a service may not look, so there is no unit for it. Install Portineria where it may, "
            f"and ask that installation: {APART}"
        )
    if not program.is_file():
        raise NoProgram(f"there is no {program} that a unit could start. Install it: {APART}")
    return TEMPLATE.read_text().replace(_PROGRAM, _quoted(program))


def _quoted(program: Path) -> str:
    """As ExecStart= wants it: systemd.service(5), COMMAND LINES; systemd.unit(5), SPECIFIERS."""
    text = str(program).replace("%", "%%")
    return f'"{text}"' if any(character.isspace() for character in text) else text
