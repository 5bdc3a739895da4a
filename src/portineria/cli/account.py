# SPDX-License-Identifier: Apache-2.0
"""What the connector's commands share: which server, with which key and token."""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from portineria.dataplane.connector.api import Api
from portineria.dataplane.connector.state import Server, Store, home


@dataclass(frozen=True, slots=True)
class Account:
    server: Server
    api: Api


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", metavar="URL", help="which server; the one signed in to last when left out")
    add_state(parser)


def add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="where sign-ins are kept (also PORTINERIA_HOME; ~/.config/portineria)"
    )


def store_of(args: argparse.Namespace) -> Store:
    return Store(args.state or home(os.environ, sys.platform))


def account_of(args: argparse.Namespace) -> Account:
    """Raise NoServer or NotSignedIn when there is no sign-in to use."""
    store = store_of(args)
    server = store.server(args.server)
    credential = store.credential(server.url)
    return Account(server, Api(server.url, ca=server.ca, proxy=server.proxy, credential=lambda: credential))
