# SPDX-License-Identifier: Apache-2.0
"""portineria doctor: look for what newcomers get wrong, and say how to mend it; nothing is changed.

Exit status: 0 nothing found, 4 warnings only, 1 something does not work.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from portineria.cli.screen import as_json, printable
from portineria.core.errors import PortineriaError
from portineria.doctor.finding import Finding, Level, status_of

_MARKS = {Level.OK: "ok      ", Level.WARNING: "WARNING ", Level.FAULT: "FAULT   "}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("server", "gateway", "relay", "connector"), default="server",
        help="which part of Portineria on this computer; server",
    )  # fmt: skip
    parser.add_argument("--state", type=Path, metavar="DIR", help="its folder (a relay's: or file)")
    parser.add_argument("--server", metavar="URL", help="of the connector: which server")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--bundle", type=Path, metavar="FILE.zip", help="a file for support, without data of the plant")
    parser.add_argument("--log", type=Path, metavar="FILE", help="a log whose end goes into the bundle, names cut")


def run(args: argparse.Namespace) -> int:
    found = []
    for finding in _examined(args):
        found.append(finding)
        if not args.json:
            _say(finding)
    if args.json:
        print(as_json(found))
    else:
        print(_SUMS[status_of(found)].format(checks=len(found)))
    if args.bundle:
        _bundle(args, found)
    return status_of(found)


def _examined(args: argparse.Namespace) -> Iterator[Finding]:
    if args.what == "gateway":
        from portineria.dataplane.gateway import doctor as gateway
        from portineria.dataplane.gateway.state import State

        return gateway.examine(State(_gateway_state(args)), os.environ)
    if args.what == "relay":
        from portineria.dataplane.relay import doctor as relay

        return relay.examine(args.state or Path("relay.toml"))
    if args.what == "connector":
        from portineria.cli.account import store_of
        from portineria.dataplane.connector import doctor as connector

        return connector.examine(store_of(args), args.server, os.environ, datetime.now(UTC))
    from portineria.cli import server_state

    server_state.require("django", "server")
    from portineria.control import doctor as server

    return server.examine(_server_state(args), os.environ)


def _gateway_state(args: argparse.Namespace) -> Path:
    from portineria.cli.gateway import DEFAULT_STATE

    return args.state or DEFAULT_STATE


def _server_state(args: argparse.Namespace) -> Path:
    return args.state or Path(".portineria")


def _bundle(args: argparse.Namespace, found: list[Finding]) -> None:
    from portineria.doctor import bundle

    members: dict[str, object] = {"versions": bundle.versions(), "findings": bundle.findings_shape(found)}
    try:
        members |= _shapes(args, found)
    except PortineriaError as error:
        members["settings"] = error.code
    if args.log:
        members["log"] = bundle.log_tail(args.log)
    bundle.write(args.bundle, members)
    print(f"{args.bundle}: {', '.join(members)}. Look through it before you give it away.", file=sys.stderr)


def _shapes(args: argparse.Namespace, found: list[Finding]) -> dict[str, object]:
    """Raise BadSettings."""
    from portineria.doctor.bundle import settings_shape

    if args.what == "gateway":
        from portineria.dataplane.gateway.__main__ import load_settings
        from portineria.dataplane.gateway.state import State

        return {"settings": settings_shape(load_settings(State(_gateway_state(args))))}
    if args.what == "relay":
        from portineria.dataplane.relay.doctor import load

        return {"settings": settings_shape(load(args.state or Path("relay.toml")))}
    if args.what == "connector":
        return {}
    from portineria.control.settings import server

    settings = server.load(_server_state(args))
    shapes: dict[str, object] = {"settings": settings_shape(settings)}
    if any(finding.check == "database" and finding.level is Level.OK for finding in found):
        from portineria.control import doctor_rows  # the doctor has started Django

        shapes["counts"] = doctor_rows.counts()
    return shapes


def _say(finding: Finding) -> None:
    print(f"{_MARKS[finding.level]}{finding.check:<18} {printable(finding.seen)}", flush=True)
    if finding.level is not Level.OK:
        print(f"{'':<27}{finding.means}\n{'':<27}-> {finding.remedy}", flush=True)


_SUMS = {
    0: "{checks} checks, nothing found.",
    4: "{checks} checks; it works, with warnings.",
    1: "{checks} checks; what is marked FAULT does not work.",
}
