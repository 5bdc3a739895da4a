# SPDX-License-Identifier: Apache-2.0
"""portineria witness: cosign other installations' registers, so that whoever runs them cannot rewrite them."""

import argparse
import asyncio
import ipaddress
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from portineria.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from portineria.ledger.witness import Answer
    from portineria.witness.state import WitnessState

CAUGHT = 1
_STATE = Path(".portineria-witness")
log = structlog.get_logger()


class BadListen(Invalid):
    code = "witness.listen"


class NothingCosigned(NotFound):
    code = "witness.nothing"


def configure(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    made = acts.add_parser("init", help="a new witness, with a key that is made here and stays here")
    made.add_argument("name", help="what it is called, for good; like an address: witness.example/w1")
    trust = acts.add_parser("trust", help="watch a register, or believe a further key of it")
    trust.add_argument("key", help="NAME+ID+BASE64, as `portineria ledger key` prints it")
    trust.add_argument("--origin", default="", help="of its checkpoints, where that is not the key's name")
    serve = acts.add_parser("serve", help="answer over HTTP: POST /add-checkpoint")
    serve.add_argument("--listen", default="127.0.0.1:8450", metavar="HOST:PORT")
    serve.add_argument("--certificate", type=Path, help="PEM chain; without it on loopback only")
    serve.add_argument("--certificate-key", type=Path, help="PEM key of that certificate")
    answer = acts.add_parser("answer", help="answer all requests that lie in a folder")
    answer.add_argument("drop", type=Path)
    acts.add_parser("key", help="print the key by which others verify what this witness cosigned")
    acts.add_parser("status", help=f"what was cosigned; ends with {CAUGHT} when somebody signed two histories")
    newest = acts.add_parser("checkpoint", help="print the newest checkpoint cosigned of one register")
    newest.add_argument("origin")
    for act in acts.choices.values():
        act.add_argument("--state", type=Path, default=_STATE, metavar="DIR", help=str(_STATE))


def run(args: argparse.Namespace) -> int:
    from portineria.witness.state import WitnessState, initialise

    if args.act == "init":
        print(initialise(args.state, args.name).key)
        return 0
    acts = {
        "trust": _trust, "key": _key, "serve": _serve, "answer": _answer, "status": _status, "checkpoint": _checkpoint,
    }  # fmt: skip
    return acts[args.act](args, WitnessState(args.state))


def _trust(args: argparse.Namespace, state: "WitnessState") -> int:
    from portineria.ledger.note import parse_verifier_key

    key = parse_verifier_key(args.key)
    state.trust(args.origin or key.name, key, int(time.time()))
    print(f"{args.origin or key.name} is watched.")
    return 0


def _key(_args: argparse.Namespace, state: "WitnessState") -> int:
    print(state.key)
    return 0


def _answer(args: argparse.Namespace, state: "WitnessState") -> int:
    from portineria.ledger.witness import COSIGNED
    from portineria.witness.drop import answer_all

    done = answer_all(args.drop, state.key.key_id, lambda data: _told(state, data))
    for name, answer in done:
        print(f"{name}: {'cosigned' if answer.status == COSIGNED else answer.why}")
    print(f"{len(done)} requests answered.")
    return CAUGHT if any(answer.evidence for _, answer in done) else 0


def _status(_args: argparse.Namespace, state: "WitnessState") -> int:
    for register in state.watched():
        print(f"{register.origin}: {_seen(register.size, register.at)}")
    caught = state.caught()
    for one in caught:
        print(f"{one.kind.upper()} {one.origin}, {one.size} events, {_time(one.at)}: {one.why}", file=sys.stderr)
        print(one.note, file=sys.stderr)
    if caught:
        print(_CAUGHT, file=sys.stderr)
    return CAUGHT if caught else 0


def _checkpoint(args: argparse.Namespace, state: "WitnessState") -> int:
    """Raise NothingCosigned."""
    found = [register for register in state.watched() if register.origin == args.origin and register.note]
    if not found:
        raise NothingCosigned(f"nothing of {args.origin!r} was cosigned here")
    print(found[0].note, end="")
    return 0


def _seen(size: int, at: int) -> str:
    return f"events 1 to {size} cosigned, {_time(at)}" if at else "nothing cosigned yet"


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def _told(state: "WitnessState", data: bytes) -> "Answer":
    """The answer, after telling the operator's log."""
    answer = state.answer(data, int(time.time()))
    if answer.evidence is not None:
        log.error("witness.caught", kind=answer.evidence.value, why=answer.why)
    elif answer.why:
        log.info("witness.refused", status=answer.status, why=answer.why)
    else:
        log.info("witness.cosigned")
    return answer


def _serve(args: argparse.Namespace, state: "WitnessState") -> int:
    """Raise BadListen."""
    from portineria.process.loop import run as run_loop
    from portineria.process.stop import stoppable

    host, _, port = args.listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise BadListen(f"{args.listen!r} is not HOST:PORT")
    tls = _tls(args.certificate, args.certificate_key)
    if tls is None and not _is_loopback(host.strip("[]")):
        raise BadListen(
            "without a certificate this listens on loopback only: name one, or put a server with TLS before"
        )
    run_loop(stoppable(_serving(state, host.strip("[]"), int(port), tls)))
    return 0


async def _serving(state: "WitnessState", host: str, port: int, tls: ssl.SSLContext | None) -> None:
    from portineria.witness.door import Door

    server = await Door(lambda data: _told(state, data)).listen(host, port, tls)
    log.info("witness.serving", listen=f"{host}:{server.sockets[0].getsockname()[1]}", key=str(state.key))
    async with server:
        await asyncio.Event().wait()


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadListen("--certificate and --certificate-key belong together")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise BadListen(f"{certificate}, {key}: {error}") from error
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_CAUGHT = (
    "Each of these checkpoints carries a valid signature of its register and does not fit what was cosigned before: "
    "two histories were signed, or the register was put back to an older state. Keep them, show them to whoever relies "
    "on that register, and ask its operator."
)
