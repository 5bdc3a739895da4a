# SPDX-License-Identifier: Apache-2.0
"""portineria device: show the key by which owners know this computer; it is made the first time."""

import argparse

from portineria.cli.account import add_state, store_of
from portineria.dataplane.connector.company_device import public_text


def configure(parser: argparse.ArgumentParser) -> None:
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    key = store_of(args).device_key(make=True)
    assert key is not None  # noqa: S101  # it was made
    print(public_text(key))
    return 0
