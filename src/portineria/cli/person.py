# SPDX-License-Identifier: Apache-2.0
"""portineria person: lock somebody out at once, let them in again, replace what they lost, erase personal data."""

import argparse
import sys
from collections.abc import Callable
from functools import partial

from portineria.cli import server_state
from portineria.cli.screen import list_choices

USAGE = 2


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT")
    parser.set_defaults(run=partial(list_choices, parser))
    _act(acts, "disable", "sign-ins and connectors end, running sessions are cut at once", _disable)
    _act(acts, "enable", "may sign in again; permissions that still hold count again", _enable)
    _act(acts, "reset-second-factor", "for who lost it: everything is signed out, sessions are cut", _reset)
    _act(
        acts, "invite-again", "for who lost password or access: all of it ends, a new address is printed", _invite_again
    )
    erase = _act(
        acts, "erase", "destroy name, address and personal values of somebody who is disabled", _erase, why=False
    )
    erase.add_argument("--yes", action="store_true", help="do it: it cannot be undone")


def _act(
    acts: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, purpose: str,
    act: Callable[[argparse.Namespace], None], *, why: bool = True,
) -> argparse.ArgumentParser:  # fmt: skip
    parser = acts.add_parser(name, help=purpose, description=purpose)
    server_state.configure(parser)
    parser.add_argument("email", metavar="EMAIL")
    if why:
        server_state.reason(parser)
    parser.set_defaults(run=run, do=act)
    return parser


def run(args: argparse.Namespace) -> int:
    if args.act == "erase" and not args.yes:
        print("Nothing was erased: it cannot be undone. Say --yes when you mean it.", file=sys.stderr)
        return USAGE
    server_state.open_set_up(args.state)
    args.do(args)
    return 0


def _disable(args: argparse.Namespace) -> None:
    from portineria.control import administration

    row = administration.set_person_enabled(args.email, enabled=False, reason=args.reason)
    print(f"{row.name} is locked: signed out everywhere, and a running server cuts open sessions within seconds.")


def _enable(args: argparse.Namespace) -> None:
    from portineria.control import administration

    row = administration.set_person_enabled(args.email, enabled=True, reason=args.reason)
    print(f"{row.name} may sign in again. Sessions that were cut stay cut.")


def _reset(args: argparse.Namespace) -> None:
    from portineria.control import administration

    row = administration.reset_second_factor(args.email, reason=args.reason)
    print(f"{row.name} is signed out everywhere and sets up a new second factor at the next sign-in.")


def _invite_again(args: argparse.Namespace) -> None:
    from portineria.control import administration

    row, address = administration.invite_again(args.email, reason=args.reason)
    print(f"{row.name} is signed out everywhere; password and second factors are gone, sessions are cut.")
    print("Hand this over yourself: it sets a new password, once, within three days. Earlier addresses are dead.")
    print(f"\n    {address}")


def _erase(args: argparse.Namespace) -> None:
    from portineria.control import administration

    count = administration.erase_person(args.email)
    print(f"Erased: {count} personal values are destroyed, the register's chain still verifies.")
