# SPDX-License-Identifier: Apache-2.0
"""The act `portineria gateway cut`: end every session here and now, with or without a line to the server."""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portineria.dataplane.gateway.state import State

REFUSED = 1


def cut_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="kept here, and told to the server when the line is back")
    parser.add_argument("--lift", action="store_true", help="let sessions begin again; what was cut stays cut")


def cut(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.local_door import CutNow, LiftCut, ask
    from portineria.dataplane.gateway.state import State

    state = State(args.state)
    state.check_there()
    reason = " ".join(args.reason.split())[:500] or "-"
    if not state.in_use:
        return _note(state, reason, lift=args.lift)
    answer = ask(state.door, LiftCut(reason) if args.lift else CutNow(reason))
    if answer.code:
        print("Nothing was cut here.", file=sys.stderr)
        return REFUSED
    if args.lift:
        print("Lifted. Sessions may begin again.")
    else:
        print(f"Cut: {answer.said.get('ended', 0)} ended. Nothing begins here until: portineria gateway cut --lift")
    return 0


def _note(state: "State", reason: str, *, lift: bool) -> int:
    """The gateway does not run, so nothing is open; it finds this when it starts."""
    import sqlite3

    from portineria.dataplane.gateway import local_cut

    state.load_pinned()
    state.lock()
    try:
        with sqlite3.connect(state.spool) as db:
            changed = local_cut.note(db, holds=not lift, reason=reason)
        db.close()
    finally:
        state.unlock()
    held = "Nothing begins here" if not lift else "Sessions may begin again"
    print(f"The gateway does not run. {held} once it does." if changed else "Nothing was changed: it is so already.")
    return 0 if changed else REFUSED
