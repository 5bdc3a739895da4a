# SPDX-License-Identifier: Apache-2.0
"""portineria invite: make a new address where somebody sets their first password; earlier ones end."""

import argparse

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("email", help="of somebody who is entered already and has no password yet")


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.operations import invite

    address = invite(email=args.email)
    print(f"Hand this over to {args.email}: it sets a password, once, within three days. Earlier addresses are dead.")
    print(f"\n    {address}")
    return 0
