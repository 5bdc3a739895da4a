# SPDX-License-Identifier: Apache-2.0
"""portineria version: of this installation."""

import argparse

from portineria import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to choose."""


def run(args: argparse.Namespace) -> int:
    print(f"portineria {__version__}")
    return 0
