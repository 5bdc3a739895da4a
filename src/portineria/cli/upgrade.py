# SPDX-License-Identifier: Apache-2.0
"""portineria upgrade: after a newer version was installed: check, back up, change the tables, verify the registers.

`portineria serve` brings it up to date too, without the way back. Sessions at gateways go on meanwhile.
"""

import argparse
import sys
from pathlib import Path

from portineria.cli import backup, server_state
from portineria.cli.progress import Progress, mib
from portineria.core.errors import Invalid
from portineria.process.stop import stopping

BROKEN, WAITING = 1, 4


class NoWayBack(Invalid):
    code = "upgrade.backup"


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument(
        "--check", action="store_true", help=f"say what would be done; ends with {WAITING} when there is"
    )
    parser.add_argument("--backup", type=Path, metavar="FILE", help="made before anything is changed")
    parser.add_argument("--no-backup", action="store_true", help="there is another way back: a snapshot, a dump")
    backup.recipients(parser)


def run(args: argparse.Namespace) -> int:
    from portineria import __version__

    if not (args.check or args.backup or args.no_backup):
        raise NoWayBack("nothing was changed: say --backup FILE with --recipient, or --no-backup, or --check")
    server_state.require("django", "server")
    from portineria.control.operations import open_state

    open_state(args.state)
    # Needs Django to have started.
    from portineria.control import upgrading

    changes = upgrading.waiting()
    if not changes:
        print(f"The database has the tables of {__version__} already: there is nothing to do.")
        return 0
    print(f"{len(changes)} changes of tables lead to {__version__}: {', '.join(changes)}.")
    if args.check:
        return WAITING
    if args.backup:
        sealed_to = backup.recipients_of(args)
        with stopping(), Progress() as progress:
            made = upgrading.keep(args.backup, sealed_to, progress)
        print(f"The way back: {args.backup}, {mib(made.size)} MiB. Recordings are not touched, and not in it.")
    found = upgrading.bring(changes)
    for one in found:
        print(f"{one.name}: {one.fault or f'{one.events} events fit.'}", file=sys.stderr if one.fault else sys.stdout)
    if any(one.fault for one in found):
        print(_BROKEN, file=sys.stderr)
        return BROKEN
    print(f"The database is of {__version__} now. Start it: portineria serve --state {args.state}")
    if args.backup:
        print(_BACK.format(file=args.backup, state=args.state))
    return 0


_BACK = (
    "To go back: stop it, install the version before, move {state} away, portineria restore {file} -i IDENTITY "
    "--state {state}, and put the folder recordings back beside it. What happened since is lost then."
)
_BROKEN = (
    "The tables are changed, and a register does not fit. Do not start it: go back, and verify the register with the "
    "version before (portineria ledger verify)."
)
