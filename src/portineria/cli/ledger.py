# SPDX-License-Identifier: Apache-2.0
"""portineria ledger: export the register, prove one event, check either without this server, or check the database.

``verify FILE`` needs neither Django nor a database: copy it to any computer with `pip install portineria`.
"""

import argparse
import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from portineria.cli import server_state, witnessing
from portineria.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from portineria.ledger.trust import Trust
    from portineria.ledger.verification import Verdict

BROKEN = 1
_LINE_BYTES = (1 << 20) + 2  # one more than a line may have: the reader refuses it


class NoFile(NotFound):
    code = "ledger.file"


class BadKnown(Invalid):
    code = "ledger.known"


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    verify = acts.add_parser("verify", help="an export or a proof by itself; without FILE this server's database")
    verify.add_argument(
        "file",
        nargs="?",
        type=Path,
        help="of `ledger export` or `ledger prove`, .gz too; events taken out in the console",
    )
    verify.add_argument(
        "--root", metavar="FINGERPRINT", help="of the installation, as its console and gateways show it"
    )
    verify.add_argument("--key", action="append", default=[], help="a checkpoint key (NAME+ID+BASE64) known directly")
    verify.add_argument("--witness", action="append", default=[], help="key of a witness that must have seen it")
    verify.add_argument(
        "--tsa", type=Path, metavar="PEM", help="root of the time-stamping authority: stamps are checked"
    )
    verify.add_argument("--all-witnessed", action="store_true", help="what a witness has not seen yet is a fault too")
    verify.add_argument(
        "--known", action="append", default=[], type=Path, metavar="NOTE",
        help="a checkpoint kept elsewhere (gateway status, witness, safe) that must be of this register",
    )  # fmt: skip
    export = acts.add_parser("export", help="write the whole register of an organisation, to be verified anywhere")
    export.add_argument("--first", type=int, default=1, metavar="NUMBER", help="begin with this event")
    prove = acts.add_parser("prove", help="write one event with its proof")
    prove.add_argument("number", type=int)
    checkpoint = acts.add_parser("checkpoint", help="print the newest checkpoint: keep it elsewhere")
    key = acts.add_parser("key", help="print the key that seals a register, for its witnesses")
    acts.add_parser("witnesses", help="how far each witness is; what they complain about")
    acts.add_parser("witness-key", help="print the key with which this installation witnesses others")
    watch = acts.add_parser("watch", help="witness the register of another installation")
    watch.add_argument("key", help="as its `ledger key` prints it")
    acts.add_parser("watched", help=f"what we cosigned of others; ends with {BROKEN} when one signed two histories")
    for act in acts.choices.values():
        server_state.configure(act)
    for act in (export, prove, checkpoint, key):
        act.add_argument("--organisation", default="", help="by name or id; may be left out when there is one")
    for act in (export, prove):
        act.add_argument("-o", "--output", type=Path, required=True, help="the file; with .gz it is compressed")


def run(args: argparse.Namespace) -> int:
    if args.act == "verify":
        return _verify_file(args) if args.file else _verify_database(args)
    server_state.open_set_up(args.state)
    if args.act in witnessing.ACTS:
        return witnessing.ACTS[args.act](args)
    # Needs Django to have started.
    from portineria.control import administration

    organisation = administration.register_called(args.organisation)
    if args.act == "key":
        print(administration.register_key(organisation))
        return 0
    if args.act == "checkpoint":
        print(administration.newest_note(organisation), end="")
        return 0
    if args.act == "prove":
        with _written(args.output) as file:
            file.write(administration.prove_event(organisation, args.number))
        print(f"Event {args.number} and its proof: {args.output}")
        return 0
    with _written(args.output) as file:
        lines = sum(1 for line in administration.export_register(organisation, args.first) if file.write(line))
    print(f"{lines} lines: {args.output}. Check it anywhere: portineria ledger verify {args.output}")
    return 0


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """Whole or not at all: the name is given when everything is on the disk."""
    new = path.with_name(f"{path.name}.part")
    try:
        with new.open("wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=raw, mode="wb", filename="") as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            while line := file.readline(_LINE_BYTES):
                yield line
    except (EOFError, gzip.BadGzipFile, zlib.error):  # what was cut off is missing: the check says from which event on
        return
    except FileNotFoundError as error:
        raise NoFile(f"there is no file {path}") from error


def _verify_file(args: argparse.Namespace) -> int:
    from portineria.ledger.checkpoint import read_checkpoint
    from portineria.ledger.note import BadNote, parse_verifier_key
    from portineria.ledger.trust import Trust
    from portineria.ledger.verification import verify
    from portineria.wire.certificate import read_fingerprint

    try:
        known = [read_checkpoint(path.read_text("utf-8"))[1] for path in args.known]
        keys, witnesses = ([parse_verifier_key(text) for text in given] for given in (args.key, args.witness))
    except (OSError, UnicodeDecodeError, BadNote) as error:
        raise BadKnown(f"nothing was checked: {error}") from error
    root = read_fingerprint(args.root) if args.root else None
    if _begins(args.file, b"PK"):
        return _verify_extract(args.file, Trust(root, keys, witnesses, known))
    verdict = verify(_lines(args.file), Trust(root, keys, witnesses, known, args.all_witnessed))
    times = _stamp_times(verdict, args.tsa) if args.tsa else []
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    if not verdict.fits:
        print(_FILE_BROKEN, file=sys.stderr)
        return BROKEN
    print(f"{verdict.origin}: events {verdict.first} to {verdict.last} fit, under {verdict.checkpoints} checkpoints.")
    if verdict.withheld:
        print(f"{verdict.withheld} values are secret or were erased by law; their hashes are there.")
    for name, seen in verdict.seen.items():
        print(f"{name} witnessed events 1 to {seen.size} on {datetime.fromtimestamp(seen.at, UTC):%Y-%m-%d %H:%M:%S}Z.")
    for text, at in times[-1:]:
        print(f"Events 1 to {text.split()[1]} were stamped at {at:%Y-%m-%d %H:%M:%S}Z, {len(times)} stamps in all.")
    if verdict.stamps and not args.tsa:
        print(f"{len(verdict.stamps)} time stamps were not checked: name their authority's root with --tsa.")
    for late in verdict.late:
        print(f"{late}.")
    if root is None and not keys:
        print(_NO_ROOT.format(root=verdict.root_sha256.hex()))
    elif not witnesses and not known:
        print(_NO_WITNESS)
    return 0


def _begins(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except FileNotFoundError as error:
        raise NoFile(f"there is no file {path}") from error


def _verify_extract(path: Path, trust: "Trust") -> int:
    """Events that a search found, as the console takes them out."""
    from portineria.ledger.evidence_archive import MOST_BYTES
    from portineria.ledger.extract import verify_extract

    with path.open("rb") as file:
        verdict = verify_extract(file.read(MOST_BYTES + 1), trust)
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    if not verdict.fits:
        print(_FILE_BROKEN, file=sys.stderr)
        return BROKEN
    print(f"{verdict.table}, made {verdict.made_at}: {verdict.events} events, as they stand in {verdict.origin}.")
    for name, seen in verdict.seen.items():
        print(f"{name} witnessed events 1 to {seen.size} on {datetime.fromtimestamp(seen.at, UTC):%Y-%m-%d %H:%M:%S}Z.")
    if trust.root_sha256 is None and not trust.keys:
        print(_NO_ROOT.format(root=verdict.root_sha256.hex()))
    return 0


def _stamp_times(verdict: "Verdict", tsa: Path) -> "list[tuple[str, datetime]]":
    """(text of a checkpoint, when it was stamped), in their order; adds to the faults. Raise BadKnown, NoLibrary."""
    from portineria.ledger.timestamp import BadStamp, check_library, read_authorities, stamped_at

    check_library()
    try:
        authorities = read_authorities(tsa.read_bytes())
    except (OSError, BadStamp) as error:
        raise BadKnown(f"nothing was checked: {tsa}: {error}") from error
    times = []
    for text, stamp in verdict.stamps:
        try:
            times.append((text, stamped_at(text, stamp, authorities)))
        except BadStamp as error:
            verdict.faults.append(f"the checkpoint of {text.split()[1]} events: {error}")
    if not verdict.stamps:
        verdict.faults.append("nothing of this was stamped")
    return times


def _verify_database(args: argparse.Namespace) -> int:
    server_state.open_set_up(args.state)
    # Needs Django to have started.
    from portineria.control.administration import verify_ledger

    faults = 0
    for found in verify_ledger():
        if found.fault:
            faults += 1
            print(f"{found.name}: {found.fault}", file=sys.stderr)
        else:
            print(f"{found.name}: {found.events} events fit.")
    if faults:
        print(_BROKEN, file=sys.stderr)
        return BROKEN
    print(_FITS)
    return 0


_FILE_BROKEN = (
    "This file is not what the register was when it was sealed. Named is the first event that each fault concerns. "
    "Keep the file as it is, and have the register exported again."
)
_NO_ROOT = (
    "Signed under the root {root}. The file itself says so: compare it with the console or a gateway, and name it with "
    "--root to have it compared."
)
_NO_WITNESS = (
    "Nobody without the checkpoint key changed this. Whoever holds that key could have signed another history: "
    "--witness and --known compare with what others saw."
)
_FITS = (
    "Nothing was changed, left out or put in afterwards, unless by somebody who holds the checkpoint key. An export "
    "shows that to others; witnesses and the checkpoints that gateways keep show it even of the key's holder."
)
_BROKEN = (
    "Named is the first event of each register that does not fit. Nothing was changed by this check. Keep this "
    "database as it is, compare it with a backup, and find out who could write to it."
)
