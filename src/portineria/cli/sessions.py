# SPDX-License-Identifier: Apache-2.0
"""portineria sessions: your sessions, live and past."""

import argparse
from typing import Any

from portineria.cli.account import account_of
from portineria.cli.account import configure as configure_account
from portineria.cli.screen import as_json, table, when


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
        print(table(("SESSION", "MACHINE", "STATE", "UNTIL"), (_row(session) for session in found)))
    return 0


def _row(session: dict[str, Any]) -> tuple[str, ...]:
    machine = session.get("machine_name") or session.get("machine") or ""
    return str(session.get("session", "")), str(machine), str(session.get("state", "")), when(session.get("ends_at"))
