# SPDX-License-Identifier: Apache-2.0
"""portineria login: sign in to a server with the browser."""

import argparse
import socket
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.cli.account import Account, account_of, add_state, store_of
from portineria.core.errors import NotFound
from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.connector.api import Api
from portineria.dataplane.connector.login import Attempt, SignedIn, public_half, wait_for_code, with_token
from portineria.dataplane.connector.state import NotSignedIn, Store, origin, unusable
from portineria.process.loop import run as run_loop


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", nargs="?", help="the server, as in the address line of the browser; the last one again")
    parser.add_argument("--no-browser", action="store_true", help="only print the address to open")
    parser.add_argument("--agent", action="store_true", help="for an AI agent: with a token that is made for its key")
    parser.add_argument("--ca", type=Path, help="certificate (PEM) that signed the server's, when the system lacks it")
    parser.add_argument("--proxy", help="http://[user:password@]host:port, or none; the surroundings' when left out")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="prove your second factor anew, where the browser is signed in already: some rules want that",
    )
    add_state(parser)


_TOKEN_LINE = 200  # characters; a token has some sixty


@dataclass(frozen=True, slots=True)
class _Server:
    url: str
    ca: str
    proxy: str


def run(args: argparse.Namespace) -> int:
    store = store_of(args)
    server = _server(args, store)
    signed_in = (
        _by_token(server) if args.agent else run_loop(_sign_in(server, browser=not args.no_browser, fresh=args.fresh))
    )
    kept = msgspec.structs.replace(signed_in.server, ca=server.ca, proxy=server.proxy)
    store.save(kept, signed_in.key, signed_in.token)
    print(f"Signed in to {server.url} as {kept.person}.")
    return 0


def account_signing_in(args: argparse.Namespace) -> Account:
    """That of ``--server``, after signing in where somebody has not yet. As ``account_of`` where none is named, or a
    program reads along.
    """
    try:
        return account_of(args)
    except (NotFound, NotSignedIn):
        if not args.server or args.json:
            raise
    login = argparse.ArgumentParser()
    configure(login)
    run(login.parse_args([args.server, *(("--state", str(args.state)) if args.state else ())]))
    return account_of(args)


def _server(args: argparse.Namespace, store: Store) -> _Server:
    """What was given before is kept unless given anew."""
    try:
        before = store.server(args.url)
    except NotFound:
        if args.url is None:
            raise
        before = None
    ca = str(args.ca.resolve()) if args.ca else before.ca if before else ""
    if ca:
        _check_readable(Path(ca))
    url = before.url if before else origin(args.url)
    return _Server(url, ca, args.proxy or (before.proxy if before else ""))


def _check_readable(file: Path) -> None:
    """Raises BadState."""
    try:
        file.read_bytes()
    except OSError as error:
        raise unusable(file, error) from error


def _by_token(server: _Server) -> SignedIn:
    """The key is made here and stays here; whoever administers the agent makes a token for its public half."""
    key = Ed25519PrivateKey.generate()
    print(f"Public key of this agent, for its token:\n\n    {public_half(key)}\n\nThe token, on a line:", flush=True)
    token = sys.stdin.readline(_TOKEN_LINE).strip()
    return with_token(
        server.url, key, token, lambda it: Api(server.url, ca=server.ca, proxy=server.proxy, credential=it)
    )


async def _sign_in(server: _Server, *, browser: bool, fresh: bool) -> SignedIn:
    attempt = Attempt(server.url, socket.gethostname(), fresh=fresh)

    def api(credential: Callable[[], tuple[Ed25519PrivateKey, str]]) -> Api:
        return Api(server.url, ca=server.ca, proxy=server.proxy, credential=credential)

    await in_thread(lambda: attempt.knock(api(lambda: (attempt.key, ""))))

    async def opened(address: str) -> None:
        print(f"Sign in with your browser:\n\n    {address}\n", flush=True)
        if browser and not await in_thread(lambda: webbrowser.open(address)):
            print("No browser could be started here; open the address yourself.", file=sys.stderr)

    code = await wait_for_code(attempt, opened)
    return await in_thread(lambda: attempt.redeem(code, api))
