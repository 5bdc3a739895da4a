# SPDX-License-Identifier: Apache-2.0
"""portineria recording: check a recording without any server, decrypt it, or say what it proves.

``verify``, ``decrypt`` and ``export`` need neither Django nor a database: copy the recording to any computer with
`pip install portineria`. Exit status: 0 whole, 1 not what was signed, 4 whole, but some bytes passed unrecorded.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from portineria.cli import recording_functions, recording_server
from portineria.cli.account import account_of
from portineria.cli.account import configure as configure_account
from portineria.core.errors import Invalid

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

    from portineria.recording.chunk import Chunk, Opener
    from portineria.recording.verification import Verdict

BROKEN, GAPS = 1, 4
Say = Callable[["list[tuple[str, Verdict]]"], int]


class BadHex(Invalid):
    code = "recording.hex"


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    verify = acts.add_parser("verify", help="check start, end, order, counts and every byte")
    decrypt = acts.add_parser("decrypt", help="write what analysers and people read: .pcapng and .jsonl")
    export = acts.add_parser("export", help="write what it proves, as JSON")
    for act in (verify, decrypt, export):
        _configure_check(act, needs_identity=act is decrypt)
    decrypt.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="made if need be")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    fetch = acts.add_parser("fetch", help="take a session's recording from the server, by the owner's people; an event")
    configure_account(fetch)
    fetch.add_argument("session", help="its id, as in `portineria sessions`")
    fetch.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.tar")
    recording_functions.configure(acts, lambda act: _configure_check(act, needs_identity=True))
    recording_server.configure(acts)


def _configure_check(act: argparse.ArgumentParser, *, needs_identity: bool) -> None:
    act.add_argument(
        "path",
        type=Path,
        nargs="+",
        metavar="FILE|DIR",
        help="a folder of chunks, a .tar of a server, one chunk; several",
    )
    act.add_argument("--key", metavar="HEX", help="the gateway's key; else the one that the recording itself names")
    act.add_argument("--head", action="append", default=[], metavar="HEX", help="that a chunk must have, as the "
                     "register has it; may be given several times")  # fmt: skip
    act.add_argument(
        "-i", "--identity", type=Path, required=needs_identity, metavar="FILE", help="age identities: look inside"
    )


def run(args: argparse.Namespace) -> int:
    if args.act in recording_server.ACTS:
        return recording_server.ACTS[args.act](args)
    if args.act == "fetch":
        return _fetch(args)
    if args.act == "decrypt":
        return _decrypt(args)
    if args.act == "learn":
        return recording_functions.learn(args, partial(_read, args))
    if args.act == "judge":
        return recording_functions.judge(args, partial(_read, args))
    found = _checked(args, _opener(_identities(args)))
    if args.act == "export":
        import msgspec

        args.output.write_bytes(msgspec.json.format(msgspec.json.encode([_told(*one) for one in found])) + b"\n")
    return _say(found)


def _fetch(args: argparse.Namespace) -> int:
    """Whole or not at all."""
    new = args.output.with_name(f"{args.output.name}.part")
    api = account_of(args).api
    try:
        with new.open("wb") as file:
            size = api.download(f"/api/v1/sessions/{quote(args.session, safe='')}/recording", file)
        new.replace(args.output)
    finally:
        new.unlink(missing_ok=True)
    print(f"{args.output}: {size} bytes. Check it anywhere: portineria recording verify {args.output}")
    return 0


# -- checking --------------------------------------------------------------------------------------------------


def _identities(args: argparse.Namespace) -> "list[Identity]":
    from portineria.recording.chunk import BadIdentity, parse_identities

    if args.identity is None:
        return []
    try:
        return parse_identities(args.identity.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadIdentity(f"{args.identity}: {error}") from error


def _opener(identities: "list[Identity]") -> "Opener | None":
    from portineria.recording.chunk import open_chunk

    return (lambda chunk: open_chunk(chunk, identities)) if identities else None


def _hex(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise BadHex(f"{text[:80]!r} is not hexadecimal") from error
    if len(found) != 32:
        raise BadHex(f"{text[:80]!r} has {len(found)} bytes, expected 32")
    return found


def _checked(args: argparse.Namespace, opener: "Opener | None") -> "list[tuple[str, Verdict]]":
    """Each recording. A head that none of them has is a fault of the last."""
    from portineria.cli.recording_files import recordings
    from portineria.recording.verification import Verifier

    heads, key = {_hex(text) for text in args.head}, _hex(args.key) if args.key else None
    found = []
    for name, chunks in (one for path in args.path for one in recordings(path)):
        verifier = Verifier(key=key, opener=opener)
        for data in chunks:
            verifier.take(data)
        heads -= verifier.heads
        found.append((name, verifier.finish()))
    found[-1][1].faults += [f"no chunk has the head {head.hex()}" for head in sorted(heads)]
    return found


def _say(found: "list[tuple[str, Verdict]]") -> int:
    broken = gaps = False
    for name, verdict in found:
        for fault in verdict.faults:
            print(f"{name}: {fault}", file=sys.stderr)
        broken |= not verdict.fits
        gaps |= bool(verdict.lost)
        if verdict.first is not None and verdict.last is not None:
            print("\n".join(_lines(name, verdict)))
    if broken:
        print(_BROKEN, file=sys.stderr)
        return BROKEN
    return GAPS if gaps else 0


def _say_faults(found: "list[tuple[str, Verdict]]") -> int:
    """For what prints something else on the standard output."""
    with contextlib.redirect_stdout(sys.stderr):
        return _say(found)


def _lines(name: str, verdict: "Verdict") -> Iterator[str]:
    first, last = verdict.first, verdict.last
    assert first is not None and last is not None  # noqa: S101, PT018 - the caller looked
    to_device, from_device, lost = last.totals
    yield f"{name}: session {first.session} at {first.gateway}, {verdict.chunks} chunks, {len(verdict.streams)} streams"
    yield f"  from {_moment(first.began_ms)} to {_moment(last.sealed_ms)}, end: {last.end or 'none'}"
    yield f"  {to_device} bytes to the device, {from_device} from it; {verdict.opened} chunks were looked into"
    if lost:
        yield f"  {lost} bytes passed without being recorded, as the gateway itself signed"
    yield from _cut_lines(verdict)
    yield f"  head {verdict.head.hex()}"
    yield f"  signed by the key {first.key.hex()}"


def _cut_lines(verdict: "Verdict") -> Iterator[str]:
    places, size = verdict.cut
    if not places:
        return
    yield f"  {size} bytes in {places} places were cut out, as the gateway itself signed"
    from portineria.recording.rules import RULES

    counted: dict[str, list[int]] = {}
    for cut in verdict.cuts:
        count = counted.setdefault(cut.rule, [0, 0])
        count[0], count[1] = count[0] + 1, count[1] + cut.size
    for rule, (times, cut_bytes) in sorted(counted.items()):
        yield f"    {RULES.get(rule, 'bytes')} ({rule}): {cut_bytes} bytes in {times} places"


def _moment(unix_ms: int) -> str:
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z" if unix_ms else "an unknown time"


def _told(name: str, verdict: "Verdict") -> dict[str, Any]:
    from portineria.recording.rules import said

    first, last = verdict.first, verdict.last
    told: dict[str, Any] = {
        "recording": name, "fits": verdict.fits, "complete": verdict.complete, "faults": verdict.faults,
        "chunks": verdict.chunks, "opened": verdict.opened, "head": verdict.head.hex(),
    }  # fmt: skip
    if first is not None and last is not None:
        told |= {
            "session": first.session, "organisation": first.organisation, "gateway": first.gateway,
            "key": first.key.hex(), "began_ms": first.began_ms, "sealed_ms": last.sealed_ms, "end": last.end,
            "to_device": last.totals[0], "from_device": last.totals[1], "lost": last.totals[2],
            "recipients": first.recipients, "cut": {"places": verdict.cut[0], "bytes": verdict.cut[1]},
            "cuts": [
                {"stream": cut.stream, "to_device": cut.direction == 0, "at": cut.at, "bytes": cut.size,
                 "rule": cut.rule, "says": said(cut.rule, cut.size)}
                for cut in verdict.cuts
            ],
            "streams": [
                {"stream": count.stream, "to_device": count.to_device, "from_device": count.from_device,
                 "lost": count.to_lost + count.from_lost, "over": count.over}
                for count in verdict.streams.values()
            ],
        }  # fmt: skip
    return told


# -- decrypting ------------------------------------------------------------------------------------------------


def _read(args: argparse.Namespace, take: "Callable[[Chunk, bytes, bytes], None]", say: "Say | None" = None) -> int:
    """Whatever opens is given to ``take``, also of a recording that lacks something: it is evidence all the same."""
    from portineria.recording.chunk import open_chunk

    identities = _identities(args)

    def opener(chunk: "Chunk") -> tuple[bytes, bytes]:
        index, capture = open_chunk(chunk, identities)
        take(chunk, index, capture)
        return index, capture

    return (say or _say_faults)(_checked(args, opener))


def _decrypt(args: argparse.Namespace) -> int:
    args.output.mkdir(parents=True, exist_ok=True)

    def write(chunk: "Chunk", index: bytes, capture: bytes) -> None:
        name = chunk.entry.recording
        mode = "wb" if name not in begun else "ab"
        begun.add(name)
        for suffix, content in ((".jsonl", index), (".pcapng", capture)):
            with (args.output / _plain(name + suffix)).open(mode) as file:
                file.write(content)

    begun: set[str] = set()
    return _read(args, write, _say)


def _plain(name: str) -> str:
    """The id came out of the recording, and names a file here."""
    return "".join(symbol if symbol.isalnum() or symbol in "_." else "-" for symbol in name)


_BROKEN = (
    "This is not, or not all of, what the gateway signed. Each fault names the first chunk that it concerns. Keep the "
    "files as they are; everything else in them was checked as far as it goes."
)
