# SPDX-License-Identifier: Apache-2.0
"""The acts of `portineria ledger` about witnesses: who sees ours, and whose we see. Django has started."""

import argparse
import sys

CAUGHT = 1


def _witnesses(_args: argparse.Namespace) -> int:
    from portineria.control.administration import witness_lags

    lags = witness_lags()
    for lag in lags:
        when = f"{lag.answered_at:%Y-%m-%d %H:%M:%S}Z" if lag.answered_at else "never"
        print(f"{lag.witness}  {lag.organisation}  {lag.size} of {lag.sealed} events, last answer: {when}  {lag.error}")
    if not lags:
        print("No witnesses: name them in portineria.toml as `witnesses`.")
    return 0


def _witness_key(_args: argparse.Namespace) -> int:
    from portineria.control.identity.cosigner import Cosigner

    print(Cosigner().key)
    return 0


def _watch(args: argparse.Namespace) -> int:
    from portineria.control.identity.cosigner import watch
    from portineria.ledger.note import parse_verifier_key

    key = parse_verifier_key(args.key)
    watch(key.name, key)
    print(f"{key.name} is watched.")
    return 0


def _watched(_args: argparse.Namespace) -> int:
    from portineria.control.audit.watching import caught, watched

    for origin, newest in watched():
        seen = f"events 1 to {newest.size} cosigned, {newest.at:%Y-%m-%d %H:%M:%S}Z" if newest else "nothing yet"
        print(f"{origin}: {seen}")
    faults = caught()
    for fault in faults:
        print(f"{fault.kind.upper()} {fault.origin}, {fault.size} events: {fault.why}\n{fault.note}", file=sys.stderr)
    return CAUGHT if faults else 0


ACTS = {"witnesses": _witnesses, "witness-key": _witness_key, "watch": _watch, "watched": _watched}
