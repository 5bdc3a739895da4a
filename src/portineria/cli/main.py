# SPDX-License-Identifier: Apache-2.0
"""portineria <verb>.

Exit status: 0 done, 1 refused or not found, 2 usage, 3 unavailable, 128 and the number of the signal that ended it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from types import ModuleType

import structlog

from portineria.cli import (
    apply,
    backup,
    connect,
    cut,
    demo,
    device,
    doctor,
    evidence,
    gateway,
    invite,
    ledger,
    lock,
    login,
    logout,
    machines,
    nats,
    person,
    provider,
    recording,
    relay,
    relay_kit,
    request,
    restore,
    rule,
    serve,
    service_account,
    sessions,
    setup,
    signers,
    supplier,
    unlock,
    upgrade,
    version,
    web,
    witness,
    worker,
)
from portineria.cli.screen import list_choices
from portineria.core.errors import Invalid, PortineriaError, Unavailable
from portineria.process import logging
from portineria.process.stop import Stopped

# By who types them. Each has configure(parser) and run(args); what is heavy is loaded inside run.
GROUPS = {
    "On the technician's computer": {
        "login": login, "machines": machines, "request": request, "connect": connect, "sessions": sessions,
        "cut": cut, "device": device, "logout": logout,
    },
    "On the gateway, in the plant": {"gateway": gateway},
    "On the server": {
        "setup": setup, "serve": serve, "apply": apply, "invite": invite, "person": person, "supplier": supplier,
        "service-account": service_account, "rule": rule, "lock": lock, "unlock": unlock, "provider": provider,
        "signers": signers, "ledger": ledger, "backup": backup, "restore": restore, "upgrade": upgrade,
    },
    "On one of several servers": {
        "web": web, "worker": worker, "relay": relay, "relay-kit": relay_kit, "nats": nats,
    },
    "Anywhere": {"recording": recording, "evidence": evidence, "witness": witness, "doctor": doctor, "demo": demo,
        "version": version},
}  # fmt: skip
VERBS = {name: module for group in GROUPS.values() for name, module in group.items()}
REFUSED, USAGE, AWAY, INTERRUPTED = 1, 2, 3, 130
log = structlog.get_logger()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="portineria", description="Remote access to machines in plants.", usage="portineria VERB ...",
        epilog=_listing(), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.set_defaults(run=partial(list_choices, top), verbose=False)
    verbs = top.add_subparsers(dest="verb", metavar="VERB", help="one of these; `portineria VERB --help` says more")
    for name, module in VERBS.items():
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
        lines += [f"  {name:<16} {_purpose(module).splitlines()[0].rstrip('.')}" for name, module in verbs.items()]
    return "\n".join(lines)


def status_of(error: PortineriaError) -> int:
    if isinstance(error, Unavailable):
        return AWAY
    return USAGE if isinstance(error, Invalid) else REFUSED


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
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
