# SPDX-License-Identifier: Apache-2.0
"""The acts of `portineria recording` on the server: whom recordings are encrypted to, and the server's own key."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portineria.cli import server_state

if TYPE_CHECKING:
    from portineria.control.identity.models import Organisation


def configure(acts: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    recipients = acts.add_parser("recipients", help="on the server: whom orders have recordings encrypted to")
    recipients.add_argument("recipients", nargs="*", metavar="AGE1…", help="set these and no others; without: show")
    recipients.add_argument("--own", action="store_true", help="set the key that this server keeps")
    identity = acts.add_parser("identity", help="on the server: write the keys it keeps; the register says that")
    identity.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="readable by you only")
    for act in (recipients, identity):
        server_state.configure(act)
        act.add_argument("--organisation", default="", help="by name or id; may be left out when there is one")


def _organisation(args: argparse.Namespace) -> "Organisation":
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.administration import organisation_called

    return organisation_called(args.organisation)


def _recipients(args: argparse.Namespace) -> int:
    organisation = _organisation(args)
    # Needs Django to have started.
    from portineria.control.identity.authority import Operator
    from portineria.control.remote_sessions.recording_keys import recipients_shown, set_recipients

    if args.recipients or args.own:
        set_recipients(actor=Operator(), organisation=organisation, recipients=args.recipients)
        print("Orders from now on. Gateways go on encrypting to whom they know already.", file=sys.stderr)
    for recipient, own in recipients_shown(organisation):
        print(f"{recipient}  {'kept here' if own else 'of somebody else'}")
    return 0


def _identity(args: argparse.Namespace) -> int:
    organisation = _organisation(args)
    # Needs Django to have started.
    from portineria.control.identity.authority import Operator
    from portineria.control.remote_sessions.recording_keys import own_identities

    args.output.touch(mode=0o600, exist_ok=False)
    args.output.write_text(own_identities(actor=Operator(), organisation=organisation), "utf-8")
    print(f"{args.output}: whoever has this file reads every recording made for these keys.", file=sys.stderr)
    return 0


ACTS = {"recipients": _recipients, "identity": _identity}
