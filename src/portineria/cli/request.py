# SPDX-License-Identifier: Apache-2.0
"""portineria request: ask the owner for access to a machine."""

import argparse
import contextlib
import shlex
import sys
import time
from datetime import date, datetime

import msgspec

from portineria.cli.account import account_of
from portineria.cli.account import configure as configure_account
from portineria.cli.screen import as_json, printable, when
from portineria.core.errors import Unavailable
from portineria.dataplane.connector.api import Api, segment
from portineria.dataplane.connector.connect import Machine

_POLL_S = 2.0
_OUTCOMES = {
    "refused": "was refused",
    "cancelled": "was withdrawn",
    "expired": "was not decided in time; ask again, or call the owner",
    "lapsed": "is no longer possible: no rule lets you ask for this machine in that way any more; ask its owner",
}


class Request(msgspec.Struct):
    request: str
    state: str
    reason: str | None = None
    starts_at: str | None = None
    minutes: int | None = None
    grant: str | None = None
    ends_at: str | None = None
    begin_by: str | None = None
    weekly: str = ""
    decision_reason: str | None = None


class Extension(msgspec.Struct):
    extension: str
    state: str
    minutes: int
    ends_at: str
    decision_reason: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    configure_account(parser)
    parser.add_argument("machine", help="its name or id, as in `portineria machines`")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--reason", help="the owner reads it, and it is kept; always, but with --withdraw-more")
    what.add_argument(
        "--withdraw-more",
        action="store_true",
        help="the question for more time that waits there, and nothing else",
    )
    parser.add_argument("--minutes", type=int, default=60, help="for how long; 60 when left out")
    parser.add_argument(
        "--more", type=int, metavar="MINUTES", help="so much longer for what runs there, instead of a new request"
    )
    parser.add_argument("--start", type=_moment, metavar="ISO", help="e.g. 2026-11-23T08:00; now when left out")
    parser.add_argument(
        "--weekly", default="", metavar="HOURS",
        help='the same hours of every week, by the plant\'s clock: "Tue,Thu 14:00-16:00"; --minutes says nothing then',
    )  # fmt: skip
    parser.add_argument("--until", type=_day, metavar="DAY", help="the last day of --weekly, e.g. 2027-03-31")
    parser.add_argument("--reference", default="", metavar="NUMBER", help="of a ticket or work permit")
    parser.add_argument(
        "--listed-reason", default="", metavar="TEXT", help="one of the owner's reasons, which a refusal names"
    )
    parser.add_argument(
        "--emergency", action="store_true",
        help="open it now without a decision, with an emergency role: recorded, told, looked at afterwards",
    )  # fmt: skip
    parser.add_argument("--wait", action="store_true", help="until the owner has decided")
    parser.add_argument("--json", action="store_true", help="for programs")


def _moment(text: str) -> datetime:
    """Without a zone it is this computer's."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2026-11-23T08:00") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day like 2027-03-31") from error


def run(args: argparse.Namespace) -> int:
    api = account_of(args).api
    if args.withdraw_more:
        return _withdraw_more(api, args)
    if args.emergency:
        return _break_glass(api, args)
    if args.more is not None:
        return _more(api, args)
    machine = api.call("GET", f"/api/v1/machines/{segment(args.machine)}", Machine)
    wanted = {
        "machine": machine.machine,
        "reason": args.reason,
        "starts_at": args.start.isoformat() if args.start else None,
        "minutes": args.minutes,
        "reference": args.reference,
        "listed_reason": args.listed_reason,
    }
    if args.weekly or args.until:  # an older server knows nothing of it
        wanted |= {"weekly": args.weekly, "until": args.until.isoformat() if args.until else None}
    made = api.call("POST", "/api/v1/requests", Request, wanted)
    if args.wait:
        if not args.json:
            print(f"{made.request} is with the owner of {machine.name}; waiting.", file=sys.stderr, flush=True)
        made = _decided(api, made)
    print(as_json(made) if args.json else said(made, machine))
    return 0 if made.state in ("pending", "approved") else 1


def _break_glass(api: Api, args: argparse.Namespace) -> int:
    """How long it lasts and when it begins is not whoever opens to say."""
    made = api.call("POST", "/api/v1/emergency", Request, {"machine": args.machine, "reason": args.reason})
    if args.json:
        print(as_json(made))
    else:
        until = f" until {when(made.ends_at)}" if made.ends_at else ""
        print(f"Open{until}, for you alone, recorded. Somebody else has to sign for it. Now: "
              f"portineria connect {shlex.quote(args.machine)}")  # fmt: skip
    return 0


def _more(api: Api, args: argparse.Namespace) -> int:
    """What runs goes on meanwhile, and is not connected anew after a yes."""
    wanted = {"machine": args.machine, "minutes": args.more, "reason": args.reason}
    made = api.call("POST", "/api/v1/extensions", Extension, wanted)
    while args.wait and made.state == "pending":
        time.sleep(_POLL_S)
        with contextlib.suppress(Unavailable):  # the question stands; the answer can wait
            made = api.call("GET", f"/api/v1/extensions/{made.extension}", Extension)
    print(as_json(made) if args.json else more_said(made))
    return 0 if made.state in ("pending", "approved") else 1


def _withdraw_more(api: Api, args: argparse.Namespace) -> int:
    """Whoever is done earlier lets nobody decide for nothing."""
    made = api.call("POST", "/api/v1/extensions/withdraw", Extension, {"machine": args.machine})
    print(as_json(made) if args.json else more_said(made))
    return 0


def more_said(made: Extension) -> str:
    until = when(made.ends_at)
    if made.state == "approved":
        return f"Prolonged until {until}. Nothing has to be connected anew."
    if made.state == "pending":
        return f"{made.extension} asks for {made.minutes} minutes more; until a yes the permission ends at {until}."
    why = f": {printable(made.decision_reason)}" if made.decision_reason else "."
    return f"{made.extension} {_OUTCOMES.get(made.state, f'is {made.state}')}{why} The permission ends at {until}."


def said(made: Request, machine: Machine) -> str:
    """What became of it, and what comes next."""
    connect = f"portineria connect {shlex.quote(machine.name)}"
    if made.state == "pending":
        who = printable(machine.owner) or "the owner"
        return f"{made.request} waits for {who} to decide, also when this command is over. Once approved: {connect}"
    if made.state == "approved":
        until = f" until {when(made.ends_at)}" if made.ends_at else ""
        if made.weekly:
            return f"{made.request} is approved, {made.weekly} by the plant's clock{until}. Then, each time: {connect}"
        if made.begin_by:
            return (f"{made.request} is approved. Its time counts from the first session, which has to begin by "
                    f"{when(made.begin_by)}. Now: {connect}")  # fmt: skip
        if made.starts_at:
            return f"{made.request} is approved from {when(made.starts_at)}{until}. Then: {connect}"
        return f"{made.request} is approved{until}. Now: {connect}"
    why = f": {printable(made.decision_reason)}" if made.decision_reason else "."
    return f"{made.request} {_OUTCOMES.get(made.state, f'is {made.state}')}{why}"


def _decided(api: Api, made: Request) -> Request:
    while made.state == "pending":
        time.sleep(_POLL_S)
        try:
            made = api.call("GET", f"/api/v1/requests/{made.request}", Request)
        except Unavailable:  # the request stands; the answer can wait
            continue
    return made
