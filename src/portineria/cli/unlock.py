# SPDX-License-Identifier: Apache-2.0
"""portineria unlock: lift a lock; what was cut stays cut, and new sessions may start."""

import argparse

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("lock", metavar="LOCK", help="as `portineria lock list` shows it")
    server_state.reason(parser)


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.administration_locks import lift

    row = lift(args.lock, reason=args.reason)
    print(f"{row.public_id} is lifted. Sessions that were cut stay cut; new ones may start.")
    return 0
