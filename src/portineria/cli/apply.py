# SPDX-License-Identifier: Apache-2.0
"""portineria apply: make plants, machines, people and rules as a file declares them; nothing is deleted."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portineria.cli import server_state

if TYPE_CHECKING:
    from portineria.control.declaration.operation import Proposal

REFUSED, USAGE = 1, 2


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="TOML or YAML: docs/howto/example-plant.toml, example-plant.yaml"
    )
    parser.add_argument(
        "--for", dest="organisation", default="", metavar="NAME",
        help="the organisation, in place of the file's: one template for many customers",
    )  # fmt: skip
    parser.add_argument("--drift", action="store_true", help="only say what differs from it; status 1 if anything")
    parser.add_argument("--yes", action="store_true", help="apply without asking")
    parser.add_argument(
        "--as", dest="administrator", default="", metavar="EMAIL", help="in whose name; the only administrator's"
    )
    parser.add_argument(
        "--end-sessions", action="store_true", help="with --yes: also where more than five open sessions end by it"
    )
    parser.add_argument(
        "--before-gateways", action="store_true", help="leave machines for later whose gateway is not enrolled yet"
    )


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # These need Django to have started.
    from portineria.control.declaration.document import Faulty, read_declaration
    from portineria.control.declaration.operation import carry_out, hold, propose

    try:
        declaration = read_declaration(args.file, args.organisation)
        proposal = propose(declaration, administrator=args.administrator, before_gateways=args.before_gateways)
        _show(proposal, drift=args.drift)
        if args.drift:
            return REFUSED if proposal.drifted else 0
        if proposal.empty:
            print("Nothing to change.")
            return 0
        hold(proposal)
        if not (args.yes and (args.end_sessions or not proposal.ending)) and (status := _ask(proposal)):
            return status
        invitations = carry_out(proposal)
    except Faulty as error:
        for fault in error.faults:
            print(f"{args.file}: {_on_one_line(fault)}", file=sys.stderr)
        print("Nothing was changed.", file=sys.stderr)
        return USAGE
    print("Applied.")
    _hand_over(invitations)
    return 0


def _show(proposal: "Proposal", *, drift: bool) -> None:
    sections = (
        {
            "Missing here:": proposal.added,
            "Otherwise here:": (*proposal.changed, *proposal.kept),
            "Not yet here:": proposal.waiting,
            "Besides the template:": proposal.untouched,
        }
        if drift
        else {
            "To be added:": proposal.added,
            "To be changed:": proposal.changed,
            "Not yet (apply the file again when the gateway is enrolled):": proposal.waiting,
            "Declared otherwise, and kept:": proposal.kept,
            "Not in the file, left untouched:": proposal.untouched,
        }
    )
    for head, texts in sections.items():
        if texts:
            print(head)
            for text in texts:
                print(f"  {_on_one_line(text)}")
    if proposal.ending:
        print("Open sessions that it ends (nothing new begins under their rules for five minutes):")
        for row in proposal.ending:
            print(f"  {row.public_id}  {_on_one_line(f'{row.person.name} · {row.machine.name}')}")
    if drift and not proposal.drifted:
        print("As in the template.")
    if not proposal.empty and not drift:
        print(f"Plants, machines and rules are entered in the name of {proposal.administrator}.")


def _ask(proposal: "Proposal") -> int:
    """0 for yes. Where many sessions would end, whoever says yes writes how many."""
    count, yes = len(proposal.ending), "--yes --end-sessions" if proposal.ending else "--yes"
    if not sys.stdin.isatty():
        print(f"Nothing was changed: add {yes} to apply it.", file=sys.stderr)
        return USAGE
    question = f"It ends {count} open sessions. Apply this? [{count}/no] " if count else "Apply this? [yes/no] "
    try:
        answer = input(question).strip()
    except EOFError:  # Ctrl-D
        answer = ""
    if answer != (str(count) if count else "yes"):
        print("Nothing was changed.")
        return REFUSED
    return 0


def _hand_over(invitations: dict[str, str]) -> None:
    if invitations:
        print("Each new person sets a password, once, at their own address. Hand these over; they are not shown again:")
    for email, address in invitations.items():
        print(f"  {email}\n    {address}")


def _on_one_line(text: str) -> str:
    """A file may come from others: no control characters reach the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
