# SPDX-License-Identifier: Apache-2.0
"""portineria rule: which rules hold, and end one; sessions under it may finish within their machine's time."""

import argparse
from functools import partial

from portineria.cli import server_state
from portineria.cli.screen import list_choices, table


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT")
    parser.set_defaults(run=partial(list_choices, parser))
    every = acts.add_parser("list", help="every rule that holds")
    server_state.configure(every)
    every.set_defaults(run=run)
    end = acts.add_parser("end", help="nobody asks by it any more; sessions under it drain")
    server_state.configure(end)
    end.add_argument("rule", metavar="RULE", help="as `portineria rule list` shows it")
    server_state.reason(end)
    end.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control import administration

    if args.act == "end":
        row = administration.end_rule(args.rule, reason=args.reason)
        print(f"{row.public_id} has ended: nothing new starts, what runs may finish within its machine's time.")
        return 0
    rows = [
        (
            row.public_id,
            row.organisation.name,
            str(row.supplier or row.group or (row.person.email if row.person else "")),
            str(row.max_minutes),
            ", ".join([*(machine.name for machine in row.machines.all()), *map(str, row.places.all())]),
        )
        for row in administration.rules()
    ]
    print(table(("RULE", "ORGANISATION", "FOR", "MINUTES", "MACHINES"), rows))
    return 0
