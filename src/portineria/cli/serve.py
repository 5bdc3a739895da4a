# SPDX-License-Identifier: Apache-2.0
"""portineria serve: control plane and relay on this machine."""

import argparse

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)


def run(args: argparse.Namespace) -> int:
    server_state.require("django", "server")
    from portineria.control.serve import main
    from portineria.control.settings.server import load

    return main(load(args.state))
