# SPDX-License-Identifier: Apache-2.0
"""portineria worker: answers gateways, enforces and seals; a second one waits for its turn."""

import argparse

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)


def run(args: argparse.Namespace) -> int:
    server_state.require("django", "server")
    from portineria.control.settings.server import load
    from portineria.control.worker import main

    return main(load(args.state))
