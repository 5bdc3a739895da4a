# SPDX-License-Identifier: Apache-2.0
import importlib
import pkgutil

import portineria.wire
from portineria.core.errors import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PortineriaError,
    ProtocolError,
    Unavailable,
)

KINDS = (Denied, NotFound, Conflict, Invalid, ProtocolError, Unavailable)


def errors_of_the_wire() -> set[type[PortineriaError]]:
    found = set()
    for module in pkgutil.iter_modules(portineria.wire.__path__):
        for thing in vars(importlib.import_module(f"portineria.wire.{module.name}")).values():
            if isinstance(thing, type) and issubclass(thing, PortineriaError):
                found.add(thing)
    return found


def test_each_kind_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in KINDS} | {PortineriaError.code}) == len(KINDS) + 1


def test_every_error_of_the_wire_is_of_one_kind_and_has_its_own_code() -> None:
    errors = errors_of_the_wire() - {PortineriaError, *KINDS}
    assert len(errors) >= 8
    assert len({error.code for error in errors}) == len(errors)
    assert not {error.code for error in errors} & {kind.code for kind in KINDS}
    assert all(sum(issubclass(error, kind) for kind in KINDS) == 1 for error in errors)
