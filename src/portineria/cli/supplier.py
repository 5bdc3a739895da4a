# SPDX-License-Identifier: Apache-2.0
"""portineria supplier: lock out all people of a supplier at once, or let them in again."""

import argparse

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("act", choices=("disable", "enable"), help="disable: running sessions of its people are cut")
    parser.add_argument("name", metavar="NAME", help="as the console shows it")
    parser.add_argument("--organisation", default="", metavar="NAME", help="whose, when several have one of that name")
    server_state.reason(parser)


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.administration import set_supplier_enabled

    enabled = args.act == "enable"
    row = set_supplier_enabled(args.name, organisation=args.organisation, enabled=enabled, reason=args.reason)
    if enabled:
        print(f"People of {row.name} may come in again. Sessions that were cut stay cut.")
    else:
        print(f"{row.name} is locked: a running server cuts open sessions of its people within seconds.")
    return 0
