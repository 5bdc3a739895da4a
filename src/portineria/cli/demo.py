# SPDX-License-Identifier: Apache-2.0
"""portineria demo: two simulated plants, the whole path once, then up for a visit."""

import argparse
from pathlib import Path

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clean", action="store_true", help="begin anew, with an empty database")
    parser.add_argument("--state", type=Path, default=Path(".portineria/demo"), metavar="DIR", help=".portineria/demo")
    parser.add_argument("--port", type=int, default=8443, help="of the console; 8443")
    parser.add_argument("--once", action="store_true", help="end after the path instead of staying up")


def run(args: argparse.Namespace) -> int:
    for module in ("django", "asyncssh"):
        server_state.require(module, "server,demo")
    from portineria.demo.main import main

    return main(args)
