# SPDX-License-Identifier: Apache-2.0
"""Whatever can be refused on a page or by the API is said in words, in every language."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils import translation

from tests.unit.control.django_state import start

start()

import portineria.control  # noqa: E402 models need Django to have started
from portineria.control.problem import problem_of  # noqa: E402
from portineria.control.problem_texts import TEXTS  # noqa: E402
from portineria.core.errors import PortineriaError, ProtocolError  # noqa: E402
from portineria.dataplane.connector.text import ERRORS  # noqa: E402
from portineria.policy.ending import Reason  # noqa: E402

# Their message is what the command line prints; no page and no API ever raises them.
COMMAND_LINE_ONLY = (
    "portineria.control.administration", "portineria.control.console_listener", "portineria.control.declaration",
    "portineria.control.database_copy", "portineria.control.installed", "portineria.control.restored_register",
    "portineria.control.restoring", "portineria.control.settings", "portineria.control.tables",
    "portineria.control.upgrading", "portineria.control.witness_client",
)  # fmt: skip
# A mistake in our own source, found before anything is written.
OURS = {"audit.event.unknown", "audit.outside-transaction", "portineria.error"}
# Raised where relays are listened to; nobody asked.
AMONG_WORKERS = {"identity.lead.lost"}


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(portineria.control.__path__, "portineria.control."):
        if not {"migrations", "settings"} & set(found.name.split(".")):
            yield found.name


def below(kind: type[PortineriaError]) -> Iterator[type[PortineriaError]]:
    yield kind
    for child in kind.__subclasses__():
        if not issubclass(child, ProtocolError):  # answered to gateways and relays, never to a person
            yield from below(child)


def codes_of_classes() -> set[str]:
    for name in modules():
        importlib.import_module(name)
    rooms = ("portineria.control.", "portineria.core.")
    mine = (kind for kind in below(PortineriaError) if f"{kind.__module__}.".startswith(rooms))
    return {kind.code for kind in mine if not kind.__module__.startswith(COMMAND_LINE_ONLY)}


def codes_of_fields() -> set[str]:
    """``BadField("email", …)``, ``clean_name(text, "tag")`` and ``field="line"``, wherever they stand."""
    found = {"name"}  # the default of clean_name
    for path in Path(portineria.control.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"BadField": 0, "clean_name": 1, "unbase64": 1}.get(node.func.id)
                given = node.args[place : place + 1] if place is not None else []
                given += [word.value for word in node.keywords if place is not None and word.arg == "field"]
                found |= {
                    word.value for word in given if isinstance(word, ast.Constant) and isinstance(word.value, str)
                }
    return {f"field.{name}" for name in found}


def needed() -> set[str]:
    refused = {f"access.{reason.value}" for reason in Reason}
    return (codes_of_classes() | codes_of_fields() | refused) - OURS - AMONG_WORKERS


def test_every_code_has_a_text() -> None:
    assert needed() - TEXTS.keys() == set()


def test_what_is_left_out_exists() -> None:
    assert codes_of_classes() >= OURS | AMONG_WORKERS


def test_no_text_is_for_nothing() -> None:
    assert TEXTS.keys() - needed() == set()


def test_what_is_said_of_a_wrong_clock_says_what_to_do() -> None:
    """By the server, and by the connector where correcting for it did not help."""
    for text in (str(TEXTS["token.clock"]), ERRORS["token.clock"]):
        assert "Set its time and its time zone" in text


def test_every_text_is_said_in_every_language() -> None:
    said: dict[str, dict[str, str]] = {}
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            for code in TEXTS:
                error = PortineriaError("operators read this")
                error.code = code
                said.setdefault(code, {})[language] = problem_of(error).detail
    for code, texts in said.items():
        assert len(set(texts.values())) == len(settings.LANGUAGES), code
