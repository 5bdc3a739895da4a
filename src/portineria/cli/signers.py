# SPDX-License-Identifier: Apache-2.0
"""portineria signers: who signs for this server, and which gateways have not heard of a new one yet."""

import argparse

from portineria.cli import server_state

ROLES = ("order", "acknowledgement", "ticket", "checkpoint", "witness")


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument(
        "--rotate", choices=ROLES, help="make a new one: gateways hear of it by a letter that the old one signs"
    )


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # These need Django to have started.
    from portineria.control.estate import signers
    from portineria.control.identity import keys
    from portineria.control.identity.authority import Operator

    if args.rotate:
        made = signers.rotate(actor=Operator(), role=args.rotate)
        print(f"{made.id} signs from now on for whoever knows it. The old one goes on for the others.")
    for role in ROLES:
        current = keys.signer(role)
        print(f"{role:16} {current.id}  since {keys.signer_made_at(role):%Y-%m-%d}")
        for gateway in signers.gateways_without(current.id) if role in signers.BELIEVED else ():
            print(f"{'':16} not known yet to {gateway.public_id} ({gateway.plant.name}, {gateway.name})")
    return 0
