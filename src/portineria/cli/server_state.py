# SPDX-License-Identifier: Apache-2.0
"""What the commands on the server itself share."""

import argparse
from pathlib import Path

from portineria.core.errors import Unavailable


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


def require(module: str, extra: str) -> None:
    """Raise NotInstalled with the way out when an optional part of Portineria is missing here."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise NotInstalled(f"this needs more of Portineria: pip install 'portineria[{extra}]'")
