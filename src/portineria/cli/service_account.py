# SPDX-License-Identifier: Apache-2.0
"""portineria service-account: accounts of programs that use the API, and their tokens, each printed once."""

import argparse
from functools import partial

from portineria.cli import server_state
from portineria.cli.screen import list_choices

DAYS = 90


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT")
    parser.set_defaults(run=partial(list_choices, parser))
    add = acts.add_parser("add", help="a new account, which can do nothing until it has a token")
    token = acts.add_parser("token", help="make a token; it is printed now and never again")
    end = acts.add_parser("end-token", help="whoever has this token is refused from now on")
    for act, do in ((add, _add), (token, _token), (end, _end)):
        server_state.configure(act)
        act.add_argument("name", metavar="NAME", help="of the account")
        act.add_argument("--organisation", default="", metavar="NAME", help="whose, when there are several")
        act.set_defaults(run=run, do=do)
    add.add_argument(
        "--answered-by", default="", metavar="EMAIL", help="it is an AI agent, for which this person answers"
    )
    token.add_argument("--for", required=True, dest="place", metavar="PLACE", help="where it will lie")
    token.add_argument("--days", type=int, default=DAYS, help=f"until it ends; {DAYS}")
    token.add_argument(
        "--may",
        action="append",
        choices=("ask", "operate", "provision"),
        default=[],
        help="besides reading; provision: SCIM alone",
    )
    token.add_argument("--public-key", default="", metavar="KEY", help="Ed25519, base64url: requests must be signed")
    end.add_argument("token", metavar="TOKEN", help="its id, tok_…")


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    args.do(args)
    return 0


def _add(args: argparse.Namespace) -> None:
    from portineria.control import administration_accounts as accounts

    row = accounts.add(args.name, organisation=args.organisation, answered_by=args.answered_by)
    print(f"{row.public_id}: {row.name}. It can do nothing yet: portineria service-account token …")


def _token(args: argparse.Namespace) -> None:
    from portineria.control import administration_accounts as accounts

    text, row = accounts.token(
        args.name, organisation=args.organisation, place=args.place, days=args.days, may=args.may,
        public_key=args.public_key,
    )  # fmt: skip
    print(f"{row.public_id}, until {row.expires_at:%Y-%m-%d}. Keep it where only your program reads:\n\n    {text}")


def _end(args: argparse.Namespace) -> None:
    from portineria.control import administration_accounts as accounts

    accounts.end_token(args.name, organisation=args.organisation, token=args.token)
    print(f"{args.token} has ended.")
