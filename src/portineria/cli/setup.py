# SPDX-License-Identifier: Apache-2.0
"""portineria setup: make a server ready, with the organisation and the first person who administers it."""

import argparse
import sys

from portineria.cli import server_state
from portineria.core.errors import Invalid


class FieldMissing(Invalid):
    code = "setup.field"


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("--bare", action="store_true", help="only tables and keys; nobody is created")
    parser.add_argument("--organisation", help="name of the asset owner; asked for when left out")
    parser.add_argument("--name", help="of the person who administers it")
    parser.add_argument("--email", help="with which this person signs in")
    parser.add_argument("--language", choices=("en", "it", "ja"), default="", help="as the browser asks, if left out")
    parser.add_argument("--time-zone", default="UTC", help="e.g. Europe/Rome")


def run(args: argparse.Namespace) -> int:
    """Repeating it brings tables and keys up to date; a second organisation is another --organisation."""
    server_state.require("django", "server")
    from portineria.control.operations import first_owner, initialise

    if args.bare:
        settings = initialise(args.state)
        print(f"{settings.state} is ready.")
        return 0
    asked = {field: getattr(args, field) or _ask(field) for field in ("organisation", "name", "email")}
    settings = initialise(args.state)
    owner = first_owner(**asked, language=args.language, time_zone=args.time_zone)
    print(f"{settings.state} is ready. Start it: portineria serve --state {settings.state}")
    print(f"Then set the password of {asked['email']}, once, here:\n\n    {owner.invitation}")
    return 0


def _ask(field: str) -> str:
    if not sys.stdin.isatty():
        raise FieldMissing(f"--{field} is missing")
    if not (answer := input(f"{field.capitalize()}: ").strip()):
        raise FieldMissing(f"no {field} was given")
    return answer
