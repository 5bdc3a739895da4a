# SPDX-License-Identifier: Apache-2.0
"""portineria web: the console and its API as a process of their own, behind a load balancer."""

import argparse

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)


def run(args: argparse.Namespace) -> int:
    server_state.require("django", "server")
    from portineria.control.settings.server import load
    from portineria.control.web import main

    return main(load(args.state))
