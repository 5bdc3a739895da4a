# SPDX-License-Identifier: Apache-2.0
"""portineria recording learn | judge: what a session did as a function profile, and what a profile would have refused.

Both read the packets anew, so that recordings of sessions that were not inspected serve too. Exit status of ``judge``:
0 nothing would have been refused, 5 something would, 1 what was read is not whole.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portineria.core.errors import NotFound

if TYPE_CHECKING:
    from portineria.policy.function_profile import Meter, Profile
    from portineria.policy.learned import Learner
    from portineria.recording.chunk import Chunk
    from portineria.recording.replay import Asked, Replay

WOULD_REFUSE = 5
Read = Callable[[Callable[["Chunk", bytes, bytes], None]], int]


class NoProfile(NotFound):
    code = "profile.not-found"


def configure(acts: Any, common: Callable[[argparse.ArgumentParser], None]) -> None:
    learn = acts.add_parser("learn", help="the smallest function profile under which all of it would have passed")
    judge = acts.add_parser("judge", help="what a function profile would have refused")
    for act in (learn, judge):
        common(act)
        act.add_argument("--service", metavar="ADDRESS:PORT", help="only what was asked there, as `judge` names it")
    learn.add_argument("--name", default="learned", help="of the profile")
    judge.add_argument("--profile", required=True, metavar="NAME|FILE:NAME", help="built in, or as for `apply`")


def learn(args: argparse.Namespace, read: Read) -> int:
    """Print what `portineria apply` takes."""
    from portineria.policy.learned import Learner

    learner, replays = Learner(), _Replays()
    status = read(lambda chunk, _, capture: _learned(learner, _wanted(args, replays.of(chunk).take(capture))))
    print_profile(args.name, learner)
    replays.tell()
    return status


def print_profile(name: str, learner: "Learner") -> None:
    """As TOML, in which no name that came over the wire is anything but a part of its line."""
    print(f"[[profile]]\nname = {_string(name)}\nallow = [")
    for line in learner.lines():
        print(f"    {_string(line)},")
    print("]")
    for what, count in learner.left_out.items():
        print(f"# left out, {count} times: {_one_line(what)}")


def _string(text: str) -> str:
    """A basic string of TOML; JSON's escapes are among those that it knows."""
    return json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return "".join(symbol if symbol.isprintable() else "?" for symbol in text)


def _learned(learner: "Learner", found: Iterable["Asked"]) -> None:
    for asked in found:
        learner.take(asked.operations, asked.own)


def _wanted(args: argparse.Namespace, found: Iterable["Asked"]) -> Iterator["Asked"]:
    return (asked for asked in found if args.service in (None, asked.device))


def judge(args: argparse.Namespace, read: Read) -> int:
    from portineria.policy.function_profile import Meter

    profile = _profile(args.profile)
    meter, replays, found = Meter(profile), _Replays(), dict[str, int]()

    def take(chunk: "Chunk", _: bytes, capture: bytes) -> None:
        for asked in _wanted(args, replays.of(chunk).take(capture)):
            for line in _refused(profile, meter, asked):
                found[line] = found.get(line, 0) + 1

    status = read(take)
    for line, count in found.items():
        print(f"{count} x {line}")
    print(f"{profile.name} would have refused {sum(found.values())} operations.")
    replays.tell()
    return status or (WOULD_REFUSE if found else 0)


def _refused(profile: "Profile", meter: "Meter", asked: "Asked") -> Iterator[str]:
    from portineria.policy.function_profile import judge as decide

    at = asked.at_ns / 1e9
    judgement = decide(profile, asked.operations, meter, at, asked.own)
    if not judgement.denials:
        meter.count(judgement, at)
    for denial in (*judgement.denials, *judgement.held):
        operation = denial.operation
        places = ", ".join(str(target) for target in operation.targets[:8])
        route = (
            f" through {' > '.join(operation.route)}" if operation.route not in asked.own and operation.route else ""
        )
        yield _one_line(f"{operation.function} {places}{route} at {asked.device}: {', '.join(denial.reasons)}")


class _Replays:
    """One of each recording."""

    def __init__(self) -> None:
        self._replays: dict[str, Replay] = {}

    def of(self, chunk: "Chunk") -> "Replay":
        from portineria.recording.replay import Replay

        return self._replays.setdefault(chunk.entry.recording, Replay())

    def tell(self) -> None:
        for name, replay in self._replays.items():
            for stream, why in replay.unread.items():
                print(f"{name}: {stream} was not read, or not to its end: {_one_line(why)}", file=sys.stderr)


def _profile(name: str) -> "Profile":
    """Raise NoProfile, BadProfile."""
    from portineria.control.declaration.notation import Unread, values_of
    from portineria.policy.function_profile import BUILT_IN, OBSERVING, Profile
    from portineria.policy.profile_text import parse_clause

    if name in BUILT_IN:
        return BUILT_IN[name]
    file, _, wanted = name.rpartition(":")
    try:
        rows = values_of(Path(file).read_bytes()).get("profile", [])
    except (OSError, Unread) as error:
        raise NoProfile(f"{name}: {error}; built in are {', '.join(BUILT_IN)}") from error
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("name") == wanted:
            observes = OBSERVING if row.get("observes", True) else ()
            allowed, held = ([parse_clause(str(line)) for line in row.get(key, [])] for key in ("allow", "hold"))
            return Profile(wanted, (*observes, *allowed), hold=tuple(held))
    raise NoProfile(f"{file} has no profile {wanted!r}")
