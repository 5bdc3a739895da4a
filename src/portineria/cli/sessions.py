# SPDX-License-Identifier: Apache-2.0
"""portineria sessions: your sessions, live and past."""

import argparse
from typing import Any

from portineria.cli.account import account_of
from portineria.cli.account import configure as configure_account
from portineria.cli.screen import as_json, table, when
from portineria.dataplane.connector.text import STATES, why_text


def configure(parser: argparse.ArgumentParser) -> None:
    configure_account(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    found = account_of(args).api.call("GET", "/api/v1/sessions", list[dict[str, Any]])
    if args.json:
        print(as_json(found))
    elif not found:
        print("There is no session.")
    else:
        print(table(("SESSION", "MACHINE", "STATE", "PROOF", "UNTIL", "WHY"), map(_row, found)))
    return 0


def _row(session: dict[str, Any]) -> tuple[str, ...]:
    """An ended session is what the gateway signed it to be; without that nobody may say *cut*."""
    ended = session["state"] == "ended"
    state = (session["ending"] if ended else "") or session["state"]
    until = session["ended_at"] or session["drain_until"] or session["ends_at"]
    return (
        session["session"], session["machine_name"], STATES.get(state, state), _proof(session, ended=ended),
        when(until), why_text(session["end_why"], session["end_reason"]),
    )  # fmt: skip


def _proof(session: dict[str, Any], *, ended: bool) -> str:
    if ended:
        return "signed by the gateway" if session["signed"] else "without receipt"
    return "not signed yet" if session["state"] == "cutting" else ""
