# SPDX-License-Identifier: Apache-2.0
"""portineria gateway: enrol, run and look after the gateway on this machine."""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from portineria.cli import gateway_local, gateway_recipients
from portineria.cli.screen import failure, fault, list_choices
from portineria.core.errors import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from portineria.dataplane.gateway.register import Memory
    from portineria.dataplane.gateway.settings import GatewaySettings
    from portineria.dataplane.gateway.state import Keys, Pinned, State
    from portineria.dataplane.gateway.status import RegisterStatus, Status

DEFAULT_STATE = Path("/var/lib/portineria-gateway")
REFUSED, USAGE, AWAY, ALARM = 1, 2, 3, 4
STALE_S = 60.0
_WHY = {
    "smaller": "it has fewer events than were signed before",
    "root": "it has other events than those that were signed before",
    "proof": "it does not prove that it continues what was signed before",
    "origin": "it is the register of somebody else",
}
_UNIT = "print the systemd unit that starts the gateway with this installation"
_UNIT_USE = "portineria gateway unit | sudo tee /etc/systemd/system/portineria-gateway.service"


class WayMissing(Invalid):
    code = "enrolment.way"


class EntriesMissing(Invalid):
    code = "reach.entries"


class NoEvidence(NotFound):
    code = "register.evidence"


class FolderClosed(Unavailable):
    code = "gateway.folder"


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT")
    parser.set_defaults(run=partial(list_choices, parser))
    _enrolment(_act(acts, "enrol", "make the keys here and ask to be admitted", _enrol))
    _act(acts, "run", "link to the relays and serve sessions until stopped", _run)
    _act(acts, "status", "what the gateway on this machine is doing", _status)
    register = _act(acts, "register", "the newest checkpoint of the register kept here, as a note", _register)
    register.add_argument("--evidence", type=int, metavar="NUMBER", help="print this contradicting note instead")
    register.add_argument(
        "--accept", action="store_true", help="the server's register was put back on purpose: go on from what it says"
    )
    repin = _act(acts, "repin", "believe another server from now on: only here, never from afar", _repin)
    _enrolment(repin)
    repin.add_argument("--yes", action="store_true", help="replace without asking")
    unit = acts.add_parser("unit", help=_UNIT, description=f"{_UNIT}: {_UNIT_USE}")
    unit.set_defaults(run=_unit)
    reach = _act(acts, "reach", "what this gateway may ever dial", _reach)
    reach.add_argument("change", choices=("list", "add", "remove"), metavar="list|add|remove")
    reach.add_argument("entries", nargs="*", metavar="NETWORK:PORTS", help="192.168.10.0/24:502,102,20000-20010")
    recipients = _act(acts, "recipients", "whom recordings are encrypted to", gateway_recipients.run)
    gateway_recipients.arguments(recipients)
    local = _act(acts, "emergency", "open one machine here when no line leads to the server", gateway_local.emergency)
    gateway_local.emergency_arguments(local)
    gateway_local.cut_arguments(_act(acts, "cut", "end every session here now, and begin none", gateway_local.cut))


def _act(
    acts: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, purpose: str,
    act: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:  # fmt: skip
    parser = acts.add_parser(name, help=purpose, description=purpose)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run, do=act)
    return parser


def _enrolment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="of the server, as the console shows it")
    parser.add_argument(
        "code", nargs="?", help="of the enrolment, from the console; its secret part is never sent. Without it: --plant"
    )
    parser.add_argument(
        "--root-fingerprint", "--fingerprint", metavar="SHA256",
        help="of the server's root, as its console shows it; any other server is refused",
    )  # fmt: skip
    parser.add_argument(
        "--plant", metavar="ID", help="without a code, where the server allows it: needs --root-fingerprint"
    )
    parser.add_argument("--name", help="proposed to the console")
    parser.add_argument("--proxy", help="http://[user:password@]host:port, or none; the surroundings' when left out")
    parser.add_argument(
        "--reach", action="append", default=[], metavar="NETWORK:PORTS", help="may be dialled; may be repeated"
    )
    parser.add_argument("--no-wait", action="store_true", help="do not wait for admission; `run` goes on asking")
    parser.add_argument("--loopback-devices", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    try:
        status: int = args.do(args)
    except OSError as error:
        if not str(error.filename).startswith(str(args.state)):
            raise
        closed = "It belongs to root or to the service, and nothing was changed. Run this with sudo"
        remedy = closed if isinstance(error, PermissionError) else "Repair it"
        raise FolderClosed(
            f"{error.filename}: {error.strerror}. {remedy}, or name another folder with --state"
        ) from error
    return status


# -- enrolment -------------------------------------------------------------------------------------------------


def _enrol(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.enrol import enrol
    from portineria.dataplane.gateway.state import State

    _check_way(args)
    state = State(args.state)
    state.lock()
    try:
        settings = _keep_settings(state, args)
        pinned = enrol(state, partial(_ask, args, settings))
        _widen(state, args.reach)
        _introduce(state, pinned)
        return 0 if args.no_wait else _wait_for_admission(state, pinned, settings)
    finally:
        state.unlock()


def _check_way(args: argparse.Namespace) -> None:
    """With the code, or by plant and fingerprint; raise WayMissing."""
    if bool(args.code) == bool(args.plant):
        raise WayMissing("give the code from the console or, where the server takes gateways without one, --plant")
    if args.plant and not args.root_fingerprint:
        raise WayMissing("--plant needs --root-fingerprint: nothing else would say that this is the right server")


def _ask(args: argparse.Namespace, settings: "GatewaySettings", keys: "Keys") -> "Pinned":
    """Raises RootChanged for a server of another root than the one given."""
    from portineria.dataplane.gateway.enrol import request_trust, request_trust_by_root
    from portineria.wire.certificate import read_fingerprint

    root = read_fingerprint(args.root_fingerprint) if args.root_fingerprint else None
    if not args.code and root is not None:
        return request_trust_by_root(args.url, args.plant, root, keys, name=settings.name, proxy=settings.proxy)
    return request_trust(args.url, args.code, keys, name=settings.name, proxy=settings.proxy, expected=root)


def _keep_settings(state: "State", args: argparse.Namespace) -> "GatewaySettings":
    """What was given on the command line stays for `run`."""
    import msgspec

    from portineria.dataplane.gateway.__main__ import load_settings
    from portineria.process.settings import write_settings

    given = {name: getattr(args, name) for name in ("name", "proxy") if getattr(args, name) is not None}
    if args.loopback_devices:
        given["loopback_devices"] = True
    settings = msgspec.structs.replace(load_settings(state), **given)
    if given or not state.settings.exists():
        write_settings(state.settings, settings)
    return settings


def _widen(state: "State", entries: list[str]) -> None:
    from portineria.dataplane.gateway.reach import read_reach, read_reach_argument, write_reach

    known = read_reach(state.reach)
    added = tuple(read_reach_argument(entry) for entry in entries)
    write_reach(state.reach, known + tuple(entry for entry in added if entry not in known))


def _introduce(state: "State", pinned: "Pinned") -> None:
    from portineria.wire.certificate import fingerprint, spki_sha256

    own = spki_sha256(state.load_keys().tls.public_key())
    print(f"Gateway {pinned.trust.gateway}")
    print(f"Fingerprint of this gateway: {fingerprint(own)}")
    print(f"Fingerprint of the server's root, pinned from now on: {fingerprint(pinned.root_spki_sha256)}")
    print("Compare the first one with the console, then admit the gateway there.", flush=True)


def _wait_for_admission(state: "State", pinned: "Pinned", settings: "GatewaySettings") -> int:
    from portineria.dataplane.gateway.enrol import ask_certificate

    keys = state.load_keys()
    while True:
        try:
            answer = ask_certificate(state, pinned, keys, name=settings.name, at_ms=0, proxy=settings.proxy)
        except Unavailable as error:
            print(f"{failure(error)} Trying again.", file=sys.stderr)
        else:
            if answer.state == "admitted":
                print("Admitted. Start it: `portineria gateway run`; as a service: `portineria gateway unit --help`.")
                return 0
            if answer.state != "waiting":
                print(f"The console has {answer.state} this gateway.", file=sys.stderr)
                return REFUSED
        time.sleep(settings.admission_s)


def _repin(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.enrol import prepare
    from portineria.dataplane.gateway.state import State
    from portineria.wire.certificate import fingerprint

    _check_way(args)
    state = State(args.state)
    state.check_there()
    state.lock()
    try:
        old = state.load_pinned()
        print(f"Pinned until now:  {fingerprint(old.root_spki_sha256)}  ({old.trust.gateway})")
        if not args.yes and not sys.stdin.isatty():
            print("Nothing was changed: add --yes to replace it.", file=sys.stderr)
            return USAGE
        settings = _keep_settings(state, args)
        prepared, new = prepare(state, partial(_ask, args, settings))
        print(f"From now on:       {fingerprint(new.root_spki_sha256)}  ({new.trust.gateway})")
        if not args.yes and input("Replace it? Sessions and links of the old server end. [yes/no] ") != "yes":
            print("Nothing was changed.")
            return REFUSED
        state.replace_with(prepared)
        _widen(state, args.reach)
        _introduce(state, new)
        return 0 if args.no_wait else _wait_for_admission(state, new, settings)
    finally:
        state.unlock()


# -- running ---------------------------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.__main__ import main
    from portineria.dataplane.gateway.state import State

    State(args.state).check_there()  # `main` would make it
    return main(str(args.state))


def _unit(_args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.unit import unit

    print(unit(Path(sys.executable).with_name("portineria")), end="")
    return 0


def _status(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.clock import boot_s
    from portineria.dataplane.gateway.state import State
    from portineria.dataplane.gateway.status import read_status
    from portineria.wire.certificate import fingerprint, spki_sha256

    state = State(args.state)
    pinned = state.load_pinned()
    print(f"Gateway      {pinned.trust.gateway}")
    print(f"Fingerprint  {fingerprint(spki_sha256(state.load_keys().tls.public_key()))}")
    print(f"Root         {fingerprint(pinned.root_spki_sha256)}")
    status = read_status(state.status)
    age_s = boot_s() - status.boot_s if status else STALE_S
    if status is None or not state.in_use:
        print("Process      not running: `portineria gateway run`, or systemctl start portineria-gateway")
        return AWAY
    stuck = "" if 0 <= age_s < STALE_S else f", has said nothing for {round(age_s)} s"
    print(f"Process      running, pid {status.pid}, version {status.version}{stuck}")
    _print_status(status)
    if status.register.contradicted:
        return ALARM
    return 0 if status.links else AWAY


def _print_status(status: "Status") -> None:
    print(f"Admission    {fault(status.admission)}")
    print(f"Time         {_moment(status.time)}")
    print(f"Certificate  until {_moment(status.certificate_ends_ms)}")
    if status.cut:
        print("CUT          nothing begins here until: portineria gateway cut --lift")
    for link in status.links:
        opened = f", opened by {link.opened_by}" if link.opened_by else ""
        print(f"Link         {link.relay}, up for {link.since_s} s{opened}")
    for relay, said in status.link_faults.items():
        print(f"No link      {relay}: {fault(said)}")
    for session in status.sessions:
        what = f"{session.state}, {session.streams} streams, {session.seconds_left} s left"
        print(f"Session      {session.session}, {what}")
    full = ", FULL: nothing new is begun" if status.full else ""
    print(f"Events       {status.events_waiting} waiting, {status.events_bytes} bytes{full}")
    print(f"Register     {_register_line(status.register)}")
    if status.register.contradicted:
        print(f"ALARM        the server's register is not the one kept here: {_WHY[status.register.contradicted[0]]}")
        print("             see `portineria gateway register`")
    if status.reach_fault:
        print(f"Reach list   cannot be read, so nothing may be dialled: {status.reach_fault}")


def _register_line(register: "RegisterStatus") -> str:
    if not register.size:
        return "no checkpoint kept yet"
    confirmed = _moment(register.confirmed_ms) if register.confirmed_ms else "not since the start"
    return f"checkpoint of {register.size} events kept, confirmed {confirmed}"


def _register(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway import register
    from portineria.dataplane.gateway.state import State

    state = State(args.state)
    state.load_pinned()
    beside = state.in_use  # else the file would be left to whoever runs this, and the service could not open it
    if not beside:
        state.lock()
    try:
        memory = register.accept(state.spool) if args.accept else register.read(state.spool)
        if args.accept:
            print(f"Accepted: {_WHY[memory.open[-1].reason]}. What contradicted stays as evidence.", file=sys.stderr)
            memory = register.read(state.spool)
    finally:
        if not beside:
            state.unlock()
    print(_note(memory, args.evidence), end="")
    for one in memory.contradictions:
        what = f"{_WHY[one.reason]}, {_moment(one.at_ms)}, {'ALARM' if one.state == 'open' else 'accepted'}"
        print(f"Evidence {one.number}: {what}", file=sys.stderr)
    return ALARM if memory.open else 0


def _note(memory: "Memory", evidence: int | None) -> str:
    """Alone on the output: so it is what `ledger verify --known` takes."""
    if evidence is None:
        return memory.note
    found = [one.note for one in memory.contradictions if one.number == evidence]
    if not found:
        raise NoEvidence(f"there is no evidence {evidence}")
    return found[0]


def _moment(unix_ms: int) -> str:
    if not unix_ms:
        return "not known yet"
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")


def _reach(args: argparse.Namespace) -> int:
    from portineria.dataplane.gateway.reach import read_reach, read_reach_argument, write_reach
    from portineria.dataplane.gateway.state import State

    state = State(args.state)
    state.check_there()
    if bool(args.entries) == (args.change == "list"):
        raise EntriesMissing(
            "list takes no entries" if args.entries else f"say what to {args.change}, e.g. 192.168.10.0/24:502,102"
        )
    known = read_reach(state.reach)
    named = [read_reach_argument(entry) for entry in args.entries]
    if args.change == "remove":
        missing = [str(entry) for entry in named if entry not in known]
        if missing:
            print(f"not in the list: {', '.join(missing)}", file=sys.stderr)
            return REFUSED
        known = tuple(entry for entry in known if entry not in named)
    elif args.change == "add":
        known += tuple(entry for entry in named if entry not in known)
    if args.change != "list":
        write_reach(state.reach, known)
        state.hand_over()
    for entry in known:
        print(entry)
    if not known:
        print("The list is empty: this gateway may dial nothing.")
    return 0
