# SPDX-License-Identifier: Apache-2.0
"""portineria evidence: take everything that proves one session from the server, or check such a file without any.

``verify`` needs neither Django nor a database: copy the file to any computer with `pip install portineria`. It ends
with 0 for a whole file, with 1 for one that is not what was signed.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from portineria.cli.account import account_of
from portineria.cli.account import configure as configure_account
from portineria.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from portineria.ledger.evidence_verification import Verdict
    from portineria.ledger.trust import Trust

BROKEN = 1


class NoEvidence(NotFound):
    code = "evidence.file"


class BadTrust(Invalid):
    code = "evidence.trust"


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    verify = acts.add_parser("verify", help="check every byte, signature and proof of a file, by itself")
    verify.add_argument("file", type=Path)
    verify.add_argument(
        "--root", metavar="FINGERPRINT", help="of the installation, as its console and gateways show it"
    )
    verify.add_argument("--key", action="append", default=[], help="a checkpoint key (NAME+ID+BASE64) known directly")
    verify.add_argument("--witness", action="append", default=[], help="key of a witness that must have seen it")
    verify.add_argument(
        "--known", action="append", default=[], type=Path, metavar="NOTE", help="a checkpoint that was kept elsewhere"
    )
    fetch = acts.add_parser("fetch", help="take it from the server, by whoever sees the session; an event")
    configure_account(fetch)
    fetch.add_argument("session", help="its id, as in `portineria sessions`")
    fetch.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.zip")


def run(args: argparse.Namespace) -> int:
    return _fetch(args) if args.act == "fetch" else _verify(args)


def _fetch(args: argparse.Namespace) -> int:
    """Whole or not at all."""
    new = args.output.with_name(f"{args.output.name}.part")
    api = account_of(args).api
    try:
        with new.open("wb") as file:
            size = api.download(f"/api/v1/sessions/{quote(args.session, safe='')}/evidence", file)
        new.replace(args.output)
    finally:
        new.unlink(missing_ok=True)
    print(f"{args.output}: {size} bytes. Check it anywhere: portineria evidence verify {args.output}")
    return 0


def _trust(args: argparse.Namespace) -> "Trust":
    from portineria.ledger.checkpoint import read_checkpoint
    from portineria.ledger.note import BadNote, parse_verifier_key
    from portineria.ledger.trust import Trust
    from portineria.wire.certificate import read_fingerprint

    try:
        known = [read_checkpoint(path.read_text("utf-8"))[1] for path in args.known]
        keys, witnesses = ([parse_verifier_key(text) for text in given] for given in (args.key, args.witness))
    except (OSError, UnicodeDecodeError, BadNote) as error:
        raise BadTrust(f"nothing was checked: {error}") from error
    return Trust(read_fingerprint(args.root) if args.root else None, keys, witnesses, known)


def _verify(args: argparse.Namespace) -> int:
    from portineria.ledger.evidence_archive import MOST_BYTES
    from portineria.ledger.evidence_verification import verify_bundle

    trust = _trust(args)
    try:
        with args.file.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise NoEvidence(f"nothing was checked: {error}") from error
    verdict = verify_bundle(data, trust)
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    if not verdict.fits:
        print(_BROKEN, file=sys.stderr)
        return BROKEN
    _say(verdict)
    if trust.root_sha256 is None and not trust.keys:
        print(_NO_ROOT.format(root=verdict.root_sha256.hex()))
    return 0


def _say(verdict: "Verdict") -> None:
    print(f"{verdict.session}, made {verdict.made_at}: all {verdict.members} members are as they were signed.")
    print(
        f"{verdict.events} events stand in {verdict.origin}; {verdict.reports} of them as the gateway signed them; "
        f"{verdict.recordings} recordings have the heads of the register."
    )
    if verdict.withheld:
        print(f"{verdict.withheld} more events are there as hashes only: they say where devices are.")
    if verdict.left_out:
        print(f"{verdict.left_out} events of this session found no room; the register has them.")
    for name, seen in verdict.seen.items():
        print(f"{name} witnessed events 1 to {seen.size} on {datetime.fromtimestamp(seen.at, UTC):%Y-%m-%d %H:%M:%S}Z.")


_BROKEN = (
    "This file is not what was signed. Named is the member that each fault concerns. Keep the file as it is, and take "
    "the evidence again."
)
_NO_ROOT = (
    "Signed under the root {root}. The file itself says so: compare it with the console or a gateway, and name it with "
    "--root to have it compared."
)
