# SPDX-License-Identifier: Apache-2.0
"""portineria restore: a backup into an empty place, with every hash and every register verified before it is there.

Ends with 0 when all of it fits, with 1 when nothing was restored or the register does not fit.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portineria.cli import server_state
from portineria.cli.progress import Progress, mib
from portineria.core.errors import Invalid, PortineriaError
from portineria.process.stop import stopping

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

    from portineria.backup.manifest import Manifest
    from portineria.control.restored_register import Proof
    from portineria.control.restoring import Unpacked
    from portineria.ledger.checkpoint import Checkpoint

BROKEN = 1


class BadKnown(Invalid):
    code = "restore.known"


def configure(parser: argparse.ArgumentParser) -> None:
    server_state.configure(parser)
    parser.add_argument("file", type=Path, help="as `portineria backup` wrote it")
    parser.add_argument("-i", "--identity", type=Path, required=True, metavar="FILE", help="age identities to open it")
    parser.add_argument("--check", action="store_true", help="read it to the end, check every hash, write nothing")
    parser.add_argument(
        "--root", metavar="FINGERPRINT", help="of the installation, as gateways show it: no other is restored"
    )
    parser.add_argument(
        "--known", action="append", default=[], type=Path, metavar="NOTE",
        help="a checkpoint kept elsewhere (gateway, witness, safe): what was lost since the backup is said",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    server_state.require("django", "server")
    from portineria.wire.certificate import read_fingerprint

    identities, known = _identities(args.identity), [_note(path) for path in args.known]
    if args.check:
        return _check(args.file, identities)
    root = read_fingerprint(args.root) if args.root else None
    from portineria.control.restoring import unpack

    with stopping(), Progress() as progress:
        unpacked = unpack(args.file, identities, args.state, progress)
    print(_about(unpacked.manifest))
    proof = _proven(unpacked, root, known)
    for fault in proof.faults:
        print(fault, file=sys.stderr)
    if not proof.fits:
        print(_BROKEN.format(folder=unpacked.folder), file=sys.stderr)
        return BROKEN
    return _settled(unpacked, proof)


def _identities(path: Path) -> "list[Identity]":
    from portineria.recording.chunk import BadIdentity, parse_identities

    try:
        return parse_identities(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadIdentity(f"{path}: {error}") from error


def _note(path: Path) -> "Checkpoint":
    from portineria.ledger.checkpoint import read_checkpoint
    from portineria.ledger.note import BadNote

    try:
        return read_checkpoint(path.read_text("utf-8"))[1]
    except (OSError, UnicodeDecodeError, BadNote) as error:
        raise BadKnown(f"nothing was restored: {path}: {error}") from error


def _check(path: Path, identities: "list[Identity]") -> int:
    from portineria.backup.archive import walk

    size = 0

    def look(name: str, _size: int, pieces: "object") -> None:
        nonlocal size
        for piece in pieces:  # type: ignore[attr-defined]
            size += len(piece)
            progress(f"checking {name.partition('/')[0]}", size, 0)

    with Progress() as progress:
        manifest = walk(path, identities, look)
    print(_about(manifest))
    print(f"Whole: {manifest.members} members, {mib(size)} MiB. The register is verified when it is restored.")
    return 0


def _about(manifest: "Manifest") -> str:
    what = "with" if manifest.recordings.inside else "without the files of"
    chunks = manifest.recordings.chunks
    return (
        f"Backup of {manifest.made_at}, installation {manifest.installation}, version {manifest.version}, {what} "
        f"{chunks} chunks of recordings."
    )


def _proven(unpacked: "Unpacked", root: bytes | None, known: "list[Checkpoint]") -> "Proof":
    """What cannot be gone on with leaves the folder behind, so that nothing is lost; it is named."""
    from portineria.control.operations import open_state
    from portineria.control.restoring import fill_database

    try:
        open_state(unpacked.folder)
        fill_database(unpacked)
        # Needs Django to have started.
        from portineria.control.restored_register import prove

        return prove(unpacked.manifest, root, known)
    except PortineriaError:
        print(_STOPPED.format(folder=unpacked.folder), file=sys.stderr)
        raise


def _settled(unpacked: "Unpacked", proof: "Proof") -> int:
    from portineria.control.restored_register import make_safe
    from portineria.wire.certificate import fingerprint

    made = make_safe(unpacked.manifest)
    unpacked.settle()
    for found in proof.registers:
        print(f"{found.name}: {found.events} events fit.")
    print(f"Root of this installation: {fingerprint(proof.root)}. Compare it with a gateway's.")
    for lost in proof.lost:
        print(f"LOST since the backup: {lost}")
    for path in unpacked.manifest.outside:
        print(f"Not in the backup, put it back: {path}")
    if unpacked.manifest.recordings.gone:
        print(f"{unpacked.manifest.recordings.gone} chunks of recordings were gone when the backup was made.")
    print(_DONE.format(state=unpacked.state, date=unpacked.manifest.made_at))
    for lock in made:
        print(f"    portineria unlock {lock} --reason … --state {unpacked.state}")
    return 0


_STOPPED = (
    "Nothing was put into its place. What was unpacked is in {folder}: remove it (and what a PostgreSQL database was "
    "filled with) before the next attempt."
)
_BROKEN = (
    "This backup is what was backed up, byte for byte, but the register in it does not fit: it was changed before, or "
    "the backup is not the one you think. It was not put into its place; it lies in {folder}, to be looked into."
)
_DONE = (
    "{state} is restored to {date}. What happened since is not here: whoever was locked out, revoked or signed out "
    "since then is not any more. So everybody is signed out, and everything is locked until you have looked through "
    "it (docs/howto/backup.md). Start it: portineria serve --state {state}. Then unlock:"
)
