# SPDX-License-Identifier: Apache-2.0
"""What the commands on the server itself share."""

import argparse
from pathlib import Path

from portineria.core.errors import Unavailable

REASON_CHARACTERS = 500


class NotInstalled(Unavailable):
    code = "install.extra"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(".portineria"),
        metavar="DIR",
        help="database, keys, portineria.toml; .portineria",
    )


def reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, type=_words, help="kept with the event")


def _words(text: str) -> str:
    words = " ".join(text.split())
    if not words or len(words) > REASON_CHARACTERS:
        raise argparse.ArgumentTypeError(f"1 to {REASON_CHARACTERS} characters")
    return words


def open_set_up(state: Path) -> None:
    """Start Django on an installation that was set up; raise NotInstalled, BadSettings, NotSetUp."""
    require("django", "server")
    from portineria.control.operations import open_state

    open_state(state)
    # Needs Django to have started.
    from portineria.control.installed import check_set_up

    check_set_up()


def require(module: str, extra: str) -> None:
    """Raise NotInstalled with the way out when an optional part of Portineria is missing here."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise NotInstalled(f"this needs more of Portineria: pip install 'portineria[{extra}]'")
