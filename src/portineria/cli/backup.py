# SPDX-License-Identifier: Apache-2.0
"""portineria backup: everything of this installation in one encrypted file, while it runs.

The file opens with an age identity only (https://age-encryption.org): keep that apart from it, and not on this server.
"""

import argparse
import os
import sys
from pathlib import Path

from portineria.cli import server_state
from portineria.cli.progress import Progress, mib
from portineria.core.errors import Conflict, Invalid
from portineria.process.stop import stopping

GAPS = 4


class NoRecipient(Invalid):
    code = "backup.recipient"


class IdentityThere(Conflict):
    code = "backup.identity-there"


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("file", type=Path, help="must not be there yet; written as FILE.part until it is whole")
    recipients(parser)
    parser.add_argument(
        "--recordings", action=argparse.BooleanOptionalAction, default=None,
        help="with the files of recordings; yes, unless they lie in an S3 store",
    )  # fmt: skip


def recipients(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r", "--recipient", action="append", default=[], metavar="age1…", help="who can open it; may be repeated"
    )
    parser.add_argument(
        "--new-identity", type=Path, metavar="FILE", help="make an identity that opens it, and write it there"
    )


def recipients_of(args: argparse.Namespace) -> list[str]:
    """Raise NoRecipient, IdentityThere, BadRecipient."""
    from portineria.recording.chunk import parse_recipient

    for recipient in args.recipient:
        parse_recipient(recipient)
    made = [_make_identity(args.new_identity)] if args.new_identity else []
    if not (found := [*args.recipient, *made]):
        raise NoRecipient("say who can open it: --recipient age1…, or --new-identity FILE the first time")
    return found


def _make_identity(path: Path) -> str:
    from pyrage.x25519 import Identity

    identity = Identity.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise IdentityThere(f"{path} is there already and was not touched; nothing was backed up") from error
    with os.fdopen(handle, "w") as file:
        file.write(f"# public key: {identity.to_public()}\n{identity}\n")
        file.flush()
        os.fsync(file.fileno())
    print(f"Made {path}. Without it nobody opens the backup: keep it apart, not on this server, and twice.")
    print(f"Next time: --recipient {identity.to_public()}")
    return str(identity.to_public())


def run(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.backing_up import back_up

    sealed_to = recipients_of(args)
    with stopping(), Progress() as progress:
        made = back_up(args.file, sealed_to, recordings=args.recordings, progress=progress)
    said = made.manifest.recordings
    print(f"{args.file}: {mib(made.size)} MiB, {made.manifest.members} members, encrypted to {len(sealed_to)}.")
    what = "with" if said.inside else "WITHOUT the files of"
    print(f"It is of {made.manifest.made_at}, {what} {said.chunks} chunks of recordings.")
    if not made.manifest.master_key_inside:
        print("The master key is not in it: it comes from the environment. Keep PORTINERIA_MASTER_KEY too.")
    for path in made.manifest.outside:
        print(f"Not in it, and named by the settings: {path}")
    for name in made.left_out:
        print(f"Left out of the state folder, no file of ours: {name}")
    print(f"Try it out: portineria restore {args.file} -i IDENTITY --check")
    if said.gone or said.damaged:
        print(
            f"Of the recordings {said.gone} chunks were gone and {said.damaged} had other bytes than the database "
            "says: see `portineria recording verify`.",
            file=sys.stderr,
        )
        return GAPS
    return 0
