# SPDX-License-Identifier: Apache-2.0
"""portineria ledger: check whether the events of this server are still those that were written."""

import argparse
import sys

from portineria.cli import server_state

BROKEN = 1


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("act", choices=("verify",), help="each event against its hash, and against the one before")


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.administration import verify_ledger

    faults = 0
    for found in verify_ledger():
        if found.fault:
            faults += 1
            print(f"{found.name}: {found.fault}", file=sys.stderr)
        else:
            print(f"{found.name}: {found.events} events fit.")
    if faults:
        print(_BROKEN, file=sys.stderr)
        return BROKEN
    print(_FITS)
    return 0


_FITS = (
    "Nothing was changed, left out or put in afterwards, unless by somebody who computed the whole chain anew or took "
    "away its end: whoever writes to this database can do that. Compare with a backup kept elsewhere."
)
_BROKEN = (
    "Named is the first event of each chain that does not fit. Nothing was changed by this check. Keep this database "
    "as it is, compare it with a backup, and find out who could write to it."
)
