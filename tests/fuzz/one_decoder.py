# SPDX-License-Identifier: Apache-2.0
"""One decoder under atheris, in the environment that has it: ``python -m tests.fuzz.one_decoder NAME …libFuzzer…``."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["portineria"]):
    from portineria.protocols.catalogue import ALL
    from tests.fuzz.decoding import check


def main() -> None:
    name = sys.argv.pop(1)
    info = next(each for each in ALL if each.name == name)
    atheris.Setup(sys.argv, lambda octets: check(info, octets))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
