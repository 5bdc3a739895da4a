# SPDX-License-Identifier: Apache-2.0
"""portineria relay-kit: write the folder with which a relay runs on another machine."""

import argparse
from pathlib import Path

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("relay", help="its id, or the public host:port of its line in `relays`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write")
    parser.add_argument("--at", type=Path, metavar="DIR", help="where it will lie on the relay's machine; as written")


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.estate.relays import write_kit

    at = args.at or args.output.absolute()
    write_kit(args.relay, args.output, at=at)
    print(f"Move {args.output} to {at} on the relay's machine: it holds the relay's only private key. There:")
    print(f"    portineria relay {at / 'relay.toml'}")
    return 0
