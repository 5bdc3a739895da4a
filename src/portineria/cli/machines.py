# SPDX-License-Identifier: Apache-2.0
"""portineria machines: what you may reach or ask for."""

import argparse

from portineria.cli.account import account_of
from portineria.cli.account import configure as configure_account
from portineria.cli.screen import as_json, table, when
from portineria.dataplane.connector.connect import Machine


def configure(parser: argparse.ArgumentParser) -> None:
    configure_account(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    found = account_of(args).api.call("GET", "/api/v1/machines", list[Machine])
    if args.json:
        print(as_json(found))
    elif not found:
        print("There is no machine for you.")
    else:
        print(table(("MACHINE", "PLANT", "LINE", "YOU MAY", "UNTIL", "SERVICES", "ID"), map(_row, found)))
    return 0


def _until(machine: Machine) -> str:
    if machine.begin_by:
        return f"{machine.lasts_minutes} min from the first session, by {when(machine.begin_by)}"
    return when(machine.ends_at)


def _row(machine: Machine) -> tuple[str, ...]:
    services = " ".join(service.name for service in machine.services or ())
    may = {"reachable": "connect", "askable": "ask"}.get(machine.sight, machine.sight)
    return (
        machine.name, machine.plant or "", machine.line or "", may, _until(machine), services, machine.machine,
    )  # fmt: skip
