# SPDX-License-Identifier: Apache-2.0
"""portineria connect: open local addresses that lead to a machine."""

import argparse
import asyncio
import contextlib
import math
import shutil

from portineria.cli.account import Account, store_of
from portineria.cli.account import configure as configure_account
from portineria.cli.login import account_signing_in
from portineria.cli.screen import as_json, news
from portineria.core.errors import Invalid
from portineria.dataplane.connector.connect import Connected, Wish, connected
from portineria.dataplane.connector.door import Door
from portineria.dataplane.connector.hint import hint, moved
from portineria.dataplane.connector.keeper import local_time
from portineria.dataplane.connector.patience import WAIT_S
from portineria.dataplane.connector.text import end_text
from portineria.process.loop import run as run_loop
from portineria.process.stop import stoppable

_GRACE_S = 3.0


# Ends that the permission itself brought. After any other somebody should look at what happened.
_IN_ORDER = frozenset({"finished", "drained", "expired"})


class BadCommand(Invalid):
    code = "exec"


def configure(parser: argparse.ArgumentParser) -> None:
    configure_account(parser)
    parser.add_argument(
        "machine", metavar="MACHINE[/SERVICE]", help="as in `portineria machines`; all services without"
    )
    parser.add_argument("--port-offset", type=int, default=0, metavar="N", help="add N to every local port")
    parser.add_argument(
        "--wait", type=_seconds, default=WAIT_S, metavar="SECONDS",
        help=f"how long to wait for a server that is away; {WAIT_S:.0f} when left out",
    )  # fmt: skip
    parser.add_argument("--nested", action="store_true", help="keep the outer TLS: for networks that inspect it")
    parser.add_argument(
        "--allow-opened",
        action="store_true",
        help="go on where a proxy decrypts the outer TLS; it cannot read the inner",
    )
    parser.add_argument(
        "--accept-notice",
        action="store_true",
        help="where the owner wants a notice read first: show and acknowledge it",
    )
    parser.add_argument(
        "--confirm-trainings",
        action="store_true",
        help="where the rule asks for trainings: show and confirm those that are missing",
    )
    parser.add_argument("--json", action="store_true", help="print the addresses for programs")
    parser.add_argument(
        "--exec", nargs=argparse.REMAINDER, metavar="CMD", dest="command",
        help="run a command with {address}, {port} and {machine} filled in; the session ends with it",
    )  # fmt: skip


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return seconds


def run(args: argparse.Namespace) -> int:
    account = account_signing_in(args)
    if args.command == []:
        raise BadCommand("--exec needs a command")
    wish = Wish(
        args.machine, port_offset=args.port_offset, nested=args.nested, allow_opened=args.allow_opened,
        proxy=account.server.proxy or None, wait_s=args.wait, accept_notice=args.accept_notice,
        confirm_trainings=args.confirm_trainings, device=store_of(args).device_key(),
    )  # fmt: skip
    return run_loop(stoppable(_connect(account, wish, args)))


async def _connect(account: Account, wish: Wish, args: argparse.Namespace) -> int:
    pin = account.server.root_spki_sha256

    def check(machine: str, doors: list[Door]) -> None:
        if args.command:
            _check_command(fill(args.command, doors, machine))

    async with connected(account.api, wish, pin=pin, tell=news, check=check) as line:
        if args.command:
            status = await _run_command(fill(args.command, line.doors, line.machine_name))
            if line.session.over.done():
                await _tell_end(line)
            return status
        print(as_json(_listed(line)) if args.json else _shown(line), flush=True)
        return await _tell_end(line)


async def _tell_end(line: Connected) -> int:
    """Wait for it. The exit status: 0 when the permission took its course, 1 when it was cut or nobody proved how."""
    how, why = await line.keeper.ended(line.session)
    news("session.over", line=end_text(how, why))
    return 0 if how in _IN_ORDER else 1


def _check_command(command: list[str]) -> None:
    """Raises BadCommand."""
    if shutil.which(command[0]) is None:
        raise BadCommand(f"--exec: there is no command {command[0]} on this computer; nothing was opened")


def fill(command: list[str], doors: list[Door], machine: str) -> list[str]:
    """Only these three words in braces are replaced: a command may have braces of its own. Raises BadCommand."""
    if len(doors) > 1 and any("{address}" in word or "{port}" in word for word in command):
        names = ", ".join(door.service.name for door in doors)
        raise BadCommand(f"which service? Write MACHINE/SERVICE; there are: {names}")
    values = {"{address}": doors[0].address, "{port}": str(doors[0].port), "{machine}": machine}
    filled = []
    for word in command:
        for name, value in values.items():
            word = word.replace(name, value)
        filled.append(word)
    return filled


async def _run_command(command: list[str]) -> int:
    """Its exit status; 128 + number when a signal ended it, as shells have it."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        raise BadCommand(f"{command[0]}: {error.strerror}") from error
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise
    return status if status >= 0 else 128 - status


async def _end(process: asyncio.subprocess.Process) -> None:
    """The terminal's Ctrl-C reaches the command too: it may end by itself. Whoever is asked twice waits no more."""
    try:
        for end in (None, process.terminate):
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                if end is not None:
                    end()
                async with asyncio.timeout(_GRACE_S):
                    await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _shown(line: Connected) -> str:
    lines = [f"Connected to {line.machine_name} until {local_time(line.session.ends_at)}. Ctrl-C ends it.", ""]
    width = max(len(door.service.name) for door in line.doors)
    for door in line.doors:
        typed = hint(door.service.protocol, door.address, door.port)
        lines.append(f"  {door.service.name:<{width}}  {typed}")
        if (why := moved(door)) is not None:
            lines.append(f"  {'':<{width}}  ({why})")
    return "\n".join(lines)


def _listed(line: Connected) -> dict[str, object]:
    doors = [
        {"service": d.service.service, "name": d.service.name, "protocol": d.service.protocol, "address": d.address,
         "port": d.port}
        for d in line.doors
    ]  # fmt: skip
    return {"session": line.session.id, "machine": line.machine, "doors": doors}
