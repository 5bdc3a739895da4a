# SPDX-License-Identifier: Apache-2.0
"""portineria <verb>.

Exit status: 0 done, 1 refused or not found, 2 usage, 3 unavailable, 128 and the number of the signal that ended it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

import structlog

from portineria.cli.screen import list_choices
from portineria.core.errors import Invalid, PortineriaError, Unavailable
from portineria.process import logging
from portineria.process.stop import Stopped

# By who types them; each is the module of that name, loaded when it is asked for: a command would load all the others.
GROUPS: dict[str, tuple[str, ...]] = {
    "On the technician's computer": (
        "login", "machines", "request", "connect", "sessions", "cut", "device", "logout",
    ),
    "On the gateway, in the plant": ("gateway",),
    "On the server": (
        "setup", "serve", "apply", "invite", "person", "supplier", "service-account", "rule", "lock", "unlock",
        "provider", "signers", "ledger", "backup", "restore", "upgrade",
    ),
    "On one of several servers": ("web", "worker", "relay", "relay-kit", "nats"),
    "Anywhere": ("recording", "evidence", "witness", "doctor", "demo", "version"),
}  # fmt: skip
VERBS = [verb for verbs in GROUPS.values() for verb in verbs]
REFUSED, USAGE, AWAY, INTERRUPTED = 1, 2, 3, 130
log = structlog.get_logger()


def module_of(verb: str) -> ModuleType:
    """It has configure(parser) and run(args); what is heavy it loads inside run."""
    return import_module(f"portineria.cli.{verb.replace('-', '_')}")


def parser(first: str = "") -> argparse.ArgumentParser:
    """Of all verbs, or of the one that a command line begins with."""
    top = argparse.ArgumentParser(
        prog="portineria", description="Remote access to machines in plants.", usage="portineria VERB ...",
        epilog="" if first in VERBS else _listing(), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.set_defaults(run=partial(list_choices, top), verbose=False)
    verbs = top.add_subparsers(dest="verb", metavar="VERB", help="one of these; `portineria VERB --help` says more")
    for name in [first] if first in VERBS else VERBS:
        module = module_of(name)
        verb = verbs.add_parser(name, prog=f"portineria {name}", description=_purpose(module))
        verb.add_argument("--verbose", action="store_true", help="operators' log on standard error")
        verb.set_defaults(run=module.run)
        module.configure(verb)
    return top


def _purpose(module: ModuleType) -> str:
    return (module.__doc__ or "").partition(": ")[2]


def _listing() -> str:
    """One line for each verb."""
    lines = []
    for who, verbs in GROUPS.items():
        lines.append(f"{who}:")
        lines += [f"  {name:<16} {_purpose(module_of(name)).splitlines()[0].rstrip('.')}" for name in verbs]
    return "\n".join(lines)


def status_of(error: PortineriaError) -> int:
    if isinstance(error, Unavailable):
        return AWAY
    return USAGE if isinstance(error, Invalid) else REFUSED


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    args = parser(*words[:1]).parse_args(words)
    quiet = args.verb in ("login", "logout", "machines", "request", "connect", "sessions", "cut", "device")
    logging.set_up(level="DEBUG" if args.verbose else "ERROR" if quiet else "INFO")
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Stopped as stopped:
        return stopped.status
    except BrokenPipeError:  # `portineria machines | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:
        if error.filename is None:
            return _broken(error)
        print(
            f"portineria: {error.filename} is closed to you: {error.strerror}. Run this as the user it belongs to, as "
            "a rule with sudo, or name another folder with --state.",
            file=sys.stderr,
        )
        return REFUSED
    except PortineriaError as error:
        from portineria.cli.screen import failure

        log.debug("cli.failed", code=error.code, why=str(error))
        print(f"portineria: {failure(error)}", file=sys.stderr)
        return status_of(error)
    except Exception as error:  # noqa: BLE001 - logged there
        return _broken(error)
    return status


def _broken(error: Exception) -> int:
    log.error("cli.broken", code=PortineriaError.code, exc_info=error)
    print("portineria: something is wrong in Portineria itself; the lines above tell its makers.", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
