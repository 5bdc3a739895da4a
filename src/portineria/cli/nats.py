# SPDX-License-Identifier: Apache-2.0
"""portineria nats: write what a NATS server for relays elsewhere needs."""

import argparse

from portineria.cli import server_state


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("--listen", default="0.0.0.0:4222", metavar="HOST:PORT", help="of the server; 0.0.0.0:4222")
    parser.add_argument("--host", required=True, help="by which relays reach it, in its certificate")


def run(args: argparse.Namespace) -> int:
    """Repeat it after a change to ``relays``, then let the server read it again: seeds and certificate are kept."""
    server_state.open_set_up(args.state)
    # These need Django to have started.
    from portineria.control.estate.nats import write_configuration
    from portineria.control.estate.relays import settle_relays

    relays = [row.public_id for row in settle_relays()]
    path = write_configuration(relays, listen=args.listen, host=args.host)
    port = args.listen.rpartition(":")[2]
    print(f"Written for {len(relays)} relays. Start the server:  nats-server -c {path}")
    print(
        f'After a change to relays: nats-server --signal reload. In portineria.toml:  bus = "tls://{args.host}:{port}"'
    )
    print("Each relay elsewhere gets its folder from:  portineria relay-kit RELAY -o DIR")
    for relay in relays:
        print(f"  {relay}")
    return 0
