# SPDX-License-Identifier: Apache-2.0
"""portineria setup: make a server ready, with the organisation and the first person who administers it."""

import argparse
import socket
import sys
from pathlib import Path

from portineria.cli import server_state
from portineria.core.errors import Invalid

_FIELDS = ("organisation", "name", "email")


class FieldMissing(Invalid):
    code = "setup.field"


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("--bare", action="store_true", help="only tables and keys; nobody is created")
    parser.add_argument(
        "--host", metavar="NAME",
        help="name by which browsers reach the console, for public_url in portineria.toml; passkeys need one",
    )  # fmt: skip
    parser.add_argument("--organisation", help="name of the asset owner; asked for when left out")
    parser.add_argument("--name", help="of the person who administers it")
    parser.add_argument("--email", help="with which this person signs in")
    parser.add_argument("--language", choices=("en", "it", "ja"), default="", help="as the browser asks, if left out")
    parser.add_argument("--time-zone", default="UTC", help="e.g. Europe/Rome")


def run(args: argparse.Namespace) -> int:
    """Repeating it brings tables and keys up to date; a second organisation is another --organisation."""
    server_state.require("django", "server")
    from portineria.control.operations import first_owner, initialise

    asked = {} if args.bare else {field: getattr(args, field) or _ask(field) for field in _FIELDS}
    number = _settle_host(args.state, args.host)
    settings = initialise(args.state)
    if args.bare:
        print(f"{settings.state} is ready.{number}")
        return 0
    owner = first_owner(**asked, language=args.language, time_zone=args.time_zone)
    print(f"{settings.state} is ready. Start it: portineria serve --state {settings.state}{number}")
    print(f"Then set the password of {asked['email']}, once, here:\n\n    {owner.invitation}")
    return 0


def _ask(field: str) -> str:
    if not sys.stdin.isatty():
        raise FieldMissing(f"--{field} is missing")
    if not (answer := input(f"{field.capitalize()}: ").strip()):
        raise FieldMissing(f"no {field} was given")
    return answer


def _settle_host(state: Path, host: str | None) -> str:
    """What is to be said where the address stays a number."""
    from portineria.control.settings import host_name
    from portineria.control.settings.server import load

    settings = load(state)
    number = host_name.numbered(settings)
    if host is None and number and sys.stdin.isatty():
        print(f"{number}. {host_name.MEANS}")
        host = _ask_host(settings.host)
    if host:
        print(f"public_url is {host_name.give(settings, host)} now; a server that runs has to be started again.")
        return ""
    return f"\n\n{number}.\n{host_name.MEANS}\n{host_name.REMEDY}\n" if number else ""


def _ask_host(number: str) -> str:
    """Empty: it stays as it is. What this machine calls itself is proposed, where others could know it by that."""
    from portineria.control.settings.host_name import is_host_name

    own = socket.getfqdn()
    proposed = f"this machine is {own}; " if is_host_name(own) and "." in own and "localhost" not in own else ""
    return input(f"Host name of the console ({proposed}empty: {number} stays): ").strip()
