# SPDX-License-Identifier: Apache-2.0
"""The acts `portineria gateway cut` and `… emergency`: what is done at this machine, with or without a line."""

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from portineria.cli.screen import printable
from portineria.core.errors import Invalid

if TYPE_CHECKING:
    from portineria.dataplane.gateway.local_door import Answer, Proof
    from portineria.dataplane.gateway.state import State

REFUSED = 1
_WHY = {
    "emergency.not-permitted": "The server never permitted it for this gateway, or took it back.",
    "emergency.unknown": "No such machine and service here, by the last word of the server: see `emergency show`.",
    "emergency.locked": "The machine is locked, by the last word of the server. A lock comes before an emergency.",
    "emergency.too-long": "That is longer than one opening may last here.",
    "emergency.too-many": "Too many are open already.",
    "emergency.one-person": "Two different people have to type two different PINs.",
    "emergency.wait": "A PIN was wrong: the next are looked at in {seconds} seconds.",
    "emergency.pins": "One of the PINs is wrong, or the server does not know yet that it was set.",
    "emergency.pins-locked": "Too many wrong PINs: nothing opens until the server has heard of it.",
    "emergency.pin": "A PIN has 6 to 64 characters, and is none that everybody tries first.",
    "emergency.pin-taken": "Somebody else has this PIN: choose another.",
    "emergency.holders": "Too many people hold a PIN here.",
    "emergency.no-holder": "Nobody of that name holds a PIN here.",
    "client.form": "Say from where: one address of the plant's network, or a network of at most 256.",
    "client.unreachable": "This machine has no way to that client.",
    "gateway.cut": "Everything is cut here: `portineria gateway cut --lift` first.",
    "reach.refused": "The reach list of this gateway does not allow that device.",
    "spool.full": "There is no room to keep what happens, so nothing opens.",
}


class PinsMissing(Invalid):
    code = "emergency.pins-missing"


def cut_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="kept here, and told to the server when the line is back")
    parser.add_argument("--lift", action="store_true", help="let sessions begin again; what was cut stays cut")


def cut(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.local_door import CutNow, LiftCut, ask
    from portineria.dataplane.gateway.state import State

    state = State(args.state)
    state.check_there()
    reason = " ".join(args.reason.split())[:500] or "-"
    if not state.in_use:
        return _note(state, reason, lift=args.lift)
    answer = ask(state.door, LiftCut(reason) if args.lift else CutNow(reason))
    if answer.code:
        print("Nothing was cut here.", file=sys.stderr)
        return REFUSED
    if args.lift:
        print("Lifted. Sessions may begin again.")
    else:
        print(f"Cut: {answer.said.get('ended', 0)} ended. Nothing begins here until: portineria gateway cut --lift")
    return 0


def _note(state: "State", reason: str, *, lift: bool) -> int:
    """The gateway does not run, so nothing is open; it finds this when it starts."""
    import sqlite3

    from portineria.dataplane.gateway import local_cut

    state.load_pinned()
    state.lock()
    try:
        with sqlite3.connect(state.spool) as db:
            changed = local_cut.note(db, holds=not lift, reason=reason)
        db.close()
    finally:
        state.unlock()
    held = "Nothing begins here" if not lift else "Sessions may begin again"
    print(f"The gateway does not run. {held} once it does." if changed else "Nothing was changed: it is so already.")
    return 0 if changed else REFUSED


# -- emergencies -----------------------------------------------------------------------------------------------


def emergency_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("show", "pin", "unpin", "open", "close"), metavar="show|pin|unpin|open|close")
    parser.add_argument("names", nargs="*", metavar="NAME", help="pin, unpin: e-mail address; open: MACHINE SERVICE")
    parser.add_argument(
        "--from", dest="client", default="", metavar="ADDRESS", help="who may connect: one, or a network"
    )
    parser.add_argument("--reason", default="", help="kept, and told to the server when the line is back")
    parser.add_argument("--minutes", type=int, default=30, help="30 when left out")
    parser.add_argument("--holders", nargs=2, metavar="E-MAIL", help="the two whose PINs are typed")


def emergency(args: argparse.Namespace) -> int:
    """Raise NotRunning: what is not running carries nothing."""
    from portineria.dataplane.gateway import local_door
    from portineria.dataplane.gateway.state import State

    state = State(args.state)
    state.check_there()
    if args.what == "open":
        return _open(state, args)
    if args.what in ("pin", "unpin"):
        if len(args.names) != 1:
            raise PinsMissing("say whose PIN: the e-mail address of their account")
        holder = args.names[0].lower()
        question = local_door.SetPin(_new_pin(holder)) if args.what == "pin" else local_door.RemovePin(holder)
        return _said(local_door.ask(state.door, question), "Kept. It counts once the server knows of it."
                     if args.what == "pin" else "Taken away.")  # fmt: skip
    if args.what == "close":
        answer = local_door.ask(state.door, local_door.CloseOpenings())
        return _said(answer, f"{answer.said.get('ended', 0)} closed.")
    return _show(local_door.ask(state.door, local_door.Show()))


def _open(state: "State", args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.local_door import OpenNow, ask

    if len(args.names) != 2 or not (args.holders and args.client and args.reason.strip()):
        raise PinsMissing("open MACHINE SERVICE --from ADDRESS --reason TEXT --holders E-MAIL E-MAIL")
    first, second = (_proof(holder.lower()) for holder in args.holders)
    reason = " ".join(args.reason.split())[:500]
    seconds = min(max(args.minutes, 1), 240) * 60
    asked = OpenNow(args.names[0], args.names[1], args.client, reason, seconds, first, second)
    answer = ask(state.door, asked)
    where = f"{answer.said.get('address')} port {answer.said.get('port')}"
    return _said(answer, f"Open for one connection from {args.client}, {args.minutes} min at most: {where}")


def _said(answer: "Answer", done: str) -> int:
    if not answer.code:
        print(done)
        return 0
    why = _WHY.get(answer.code, answer.code).format(seconds=answer.said.get("seconds", "a few"))
    print(f"Nothing was done. {why}", file=sys.stderr)
    return REFUSED


def _show(answer: "Answer") -> int:
    said = answer.said
    permitted = f"yes, {said['minutes']} min at most" if said["permitted"] else "no: the server's owner switches it on"
    print(f"Permitted    {permitted}")
    if said["locked"]:
        print("LOCKED       too many wrong PINs: nothing opens until the server has heard of it")
    for name, key in (("May open", "machines"), ("Holds a PIN", "holders"), ("Not yet", "waiting"), ("Open", "open")):
        rows = said[key]
        for row in rows if isinstance(rows, list) else []:
            print(f"{name:<12} {printable(row)}")
    return 0


def _proof(holder: str) -> "Proof":
    from portineria.dataplane.gateway.local_door import Proof

    return Proof(holder, _typed(f"PIN of {holder}: "))


def _new_pin(holder: str) -> "Proof":
    proof = _proof(holder)
    if _typed("Once more: ") != proof.pin:
        raise PinsMissing("the two are not alike; nothing was kept")
    return proof


def _typed(prompt: str) -> str:
    """Not shown; from a program, one line each."""
    typed = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not typed or len(typed) > 200:
        raise PinsMissing("no PIN was typed")
    return typed
