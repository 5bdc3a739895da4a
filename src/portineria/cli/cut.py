# SPDX-License-Identifier: Apache-2.0
"""portineria cut: end a session at once, with everything that runs in it."""

import argparse
import sys
import time
from urllib.parse import quote

from portineria.cli.account import account_of
from portineria.cli.account import configure as configure_account
from portineria.dataplane.connector.keeper import StateAnswer

_WAIT_S, _POLL_S = 20.0, 0.5


def configure(parser: argparse.ArgumentParser) -> None:
    configure_account(parser)
    parser.add_argument("session", help="its id, as in `portineria sessions`")
    parser.add_argument("--reason", required=True, help="kept in the audit trail")


def run(args: argparse.Namespace) -> int:
    """It is cut only when the gateway has signed for it; until then it is being cut."""
    api = account_of(args).api
    path = f"/api/v1/sessions/{quote(args.session, safe='')}"
    state = api.call("POST", f"{path}/cut", StateAnswer, {"reason": args.reason})
    deadline = time.monotonic() + _WAIT_S
    while state.state == "cutting" and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        state = api.call("GET", path, StateAnswer)
    if state.state == "cutting":
        print(f"{args.session} is being cut; the gateway has not signed for it yet.", file=sys.stderr)
        return 3
    print(f"{args.session} is {state.ending or state.state}.")
    return 0
