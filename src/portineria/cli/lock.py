# SPDX-License-Identifier: Apache-2.0
"""portineria lock: keep everybody from a machine, a place or everything, or somebody out; open sessions are cut."""

import argparse
from functools import partial

from portineria.cli import server_state
from portineria.cli.screen import list_choices, table
from portineria.policy.ending import Locked

_CALLED = {
    Locked.PERSON: ("EMAIL", "somebody, at one organisation"),
    Locked.SUPPLIER: ("NAME", "all people of a supplier"),
    Locked.MACHINE: ("MACHINE", "name, plant/name or id"),
    Locked.LINE: ("LINE", "name or plant/name: every machine of it"),
    Locked.ZONE: ("ZONE", "name or plant/name: every machine of its lines"),
    Locked.PLANT: ("PLANT", "every machine of a plant"),
    Locked.GATEWAY: ("GATEWAY", "name, plant/name or id: every machine behind it"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="WHAT")
    parser.set_defaults(run=partial(list_choices, parser))
    every = acts.add_parser("list", help="what is locked now")
    server_state.configure(every)
    every.set_defaults(run=run)
    for kind in Locked:
        name, said = _CALLED.get(kind, ("", "everything an organisation has"))
        act = acts.add_parser(kind.value, help=said)
        server_state.configure(act)
        if name:
            act.add_argument("name", metavar=name)
        act.add_argument("--organisation", default="", metavar="NAME", help="whose, when there are several")
        server_state.reason(act)
        act.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control import administration_locks

    if args.act != "list":
        kind, name = Locked(args.act), getattr(args, "name", "")
        row = administration_locks.lock(kind, name, organisation=args.organisation, reason=args.reason)
        print(f"{row.public_id}: {args.act} {name}".rstrip() + " is locked: a running server cuts open sessions now.")
        print(f"Lifted with: portineria unlock {row.public_id} --reason …")
        return 0
    rows = [
        (
            row.public_id,
            row.organisation.name,
            row.kind.value,
            administration_locks.place_of(row),
            row.made_by.name if row.made_by else "operator of the server",
            row.reason,
        )
        for row in administration_locks.held()
    ]
    print(table(("LOCK", "ORGANISATION", "WHAT", "WHICH", "BY", "REASON"), rows))
    return 0
