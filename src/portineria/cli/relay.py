# SPDX-License-Identifier: Apache-2.0
"""portineria relay: run a relay by its settings file."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("settings", type=Path, help="TOML file; `portineria serve` writes one for its own relay")


def run(args: argparse.Namespace) -> int:
    from portineria.dataplane.relay.__main__ import main

    return main(str(args.settings))
