# SPDX-License-Identifier: Apache-2.0
"""portineria provider: confirm whose an e-mail domain is, so that people with it come by an identity provider."""

import argparse
from functools import partial

from portineria.cli import server_state
from portineria.cli.screen import list_choices


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT")
    parser.set_defaults(run=partial(list_choices, parser))
    purpose = "from then on the sign-in page leads everybody with such an address to this provider"
    confirm = acts.add_parser("confirm-domain", help=purpose, description=purpose)
    server_state.configure(confirm)
    confirm.add_argument("provider", metavar="ID", help="as the console shows it: idp_…")
    confirm.add_argument("domain", metavar="DOMAIN")
    confirm.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.identity.authority import Operator
    from portineria.control.identity.providers import confirm_domain

    confirm_domain(actor=Operator(), provider=args.provider, domain=args.domain)
    print(f"People with addresses of {args.domain} come by {args.provider} from now on.")
    return 0
