# SPDX-License-Identifier: Apache-2.0
"""portineria logout: forget the sign-in on this computer."""

import argparse

from portineria.cli.account import configure as configure_account
from portineria.cli.account import store_of


def configure(parser: argparse.ArgumentParser) -> None:
    configure_account(parser)
    parser.add_argument(
        "--forget", action="store_true", help="also forget which root the server had; only when its operators say so"
    )


def run(args: argparse.Namespace) -> int:
    store = store_of(args)
    url = store.server(args.server).url
    if args.forget:
        store.forget(url)
    else:
        store.sign_out(url)
    print(f"Signed out of {url} on this computer.")
    return 0
