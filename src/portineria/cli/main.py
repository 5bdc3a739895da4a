# SPDX-License-Identifier: Apache-2.0
"""portineria <verb>. Exit status: 0 done, 1 refused or not found, 2 usage, 3 unavailable, 130 interrupted."""

import argparse
import os
import sys
from collections.abc import Sequence

import structlog

from portineria.cli import (
    apply,
    connect,
    cut,
    demo,
    gateway,
    invite,
    login,
    logout,
    machines,
    person,
    relay,
    request,
    rule,
    serve,
    sessions,
    setup,
    signers,
    supplier,
    version,
)
from portineria.core.errors import Invalid, PortineriaError, Unavailable
from portineria.process import logging

# Each has configure(parser) and run(args); what is heavy is loaded inside run.
VERBS = {
    "login": login, "logout": logout, "machines": machines, "request": request, "connect": connect,
    "sessions": sessions, "cut": cut, "gateway": gateway, "relay": relay, "serve": serve, "setup": setup,
    "apply": apply, "invite": invite, "person": person, "supplier": supplier, "rule": rule, "signers": signers,
    "demo": demo, "version": version,
}  # fmt: skip
REFUSED, USAGE, AWAY, INTERRUPTED = 1, 2, 3, 130
log = structlog.get_logger()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="portineria", description="Remote access to machines in plants.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        purpose = (module.__doc__ or "").partition(": ")[2]
        verb = verbs.add_parser(name, help=purpose.splitlines()[0].rstrip("."), description=purpose)
        verb.add_argument("--verbose", action="store_true", help="operators' log on standard error")
        module.configure(verb)
        verb.set_defaults(run=module.run)
    return top


def status_of(error: PortineriaError) -> int:
    if isinstance(error, Unavailable):
        return AWAY
    return USAGE if isinstance(error, Invalid) else REFUSED


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    quiet = args.verb in ("login", "logout", "machines", "request", "connect", "sessions", "cut")
    logging.set_up(level="DEBUG" if args.verbose else "ERROR" if quiet else "INFO")
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `portineria machines | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PortineriaError as error:
        from portineria.cli.screen import failure

        log.debug("cli.failed", code=error.code, why=str(error))
        print(f"portineria: {failure(error)}", file=sys.stderr)
        return status_of(error)
    except Exception as error:
        log.error("cli.broken", code=PortineriaError.code, exc_info=error)
        print("portineria: something is wrong in Portineria itself; the lines above tell its makers.", file=sys.stderr)
        return REFUSED
    return status


if __name__ == "__main__":
    sys.exit(main())
