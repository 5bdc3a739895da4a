# SPDX-License-Identifier: Apache-2.0
"""The act `portineria gateway recipients`: whom this gateway encrypts recordings to. Only here is one removed."""

import argparse
import sys

from portineria.core.errors import Invalid

REFUSED = 1


class RecipientsMissing(Invalid):
    code = "recording.recipients-missing"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("change", choices=("list", "add", "remove"), metavar="list|add|remove")
    parser.add_argument("recipients", nargs="*", metavar="AGE1…", help="age recipients, of an auditor for instance")


def run(args: argparse.Namespace) -> int:
    """Raise RecipientsMissing, BadRecipient, NotEnrolled, InUse (a running gateway has its own list in memory)."""
    from portineria.dataplane.gateway.state import State
    from portineria.recording.chunk import parse_recipient

    state = State(args.state)
    state.check_there()
    if bool(args.recipients) == (args.change == "list"):
        raise RecipientsMissing("list takes none" if args.recipients else f"say whom to {args.change}")
    pinned = state.load_pinned()
    known = pinned.recording_recipients
    if args.change != "list":
        for recipient in args.recipients:
            parse_recipient(recipient)
        missing = [one for one in args.recipients if args.change == "remove" and one not in known]
        if missing:
            print(f"not among them: {', '.join(missing)}", file=sys.stderr)
            return REFUSED
        rest = [one for one in known if one not in args.recipients]
        known = rest if args.change == "remove" else list(dict.fromkeys([*known, *args.recipients]))
        state.lock()
        try:
            state.save_pinned(state.load_pinned().with_recipients(known))
        finally:
            state.unlock()
    for recipient in known:
        print(recipient)
    if not known:
        print("Nobody yet: the first order of a recorded session names the organisation's key.", file=sys.stderr)
    return 0
