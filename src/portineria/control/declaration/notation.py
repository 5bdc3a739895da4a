# SPDX-License-Identifier: Apache-2.0
"""A declaration is written in TOML or in YAML: the same keys and values, whichever somebody's other files are in."""

import re
import tomllib
from typing import Any

_YAML = re.compile(r"(?:\s|#[^\n]*(?:\n|\Z))*(?:---|%YAML|[A-Za-z_]+[ \t]*:(?:\s|\Z))")  # no line of TOML begins so


class Unread(Exception):
    """What is wrong with the file, and where."""


def values_of(data: bytes) -> dict[str, Any]:
    """Raise Unread."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Unread(f"not a text in UTF-8: {error}") from error
    if _YAML.match(text):
        return _yaml(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unread(f"not a TOML file: {error}") from error
    except RecursionError as error:
        raise Unread("not a TOML file that anybody wrote: nested too deeply") from error


def _yaml(text: str) -> dict[str, Any]:
    """PyYAML comes with the server; whoever judges a recording elsewhere reads TOML without it."""
    try:
        from portineria.control.declaration.plain_yaml import NotPlain, read
    except ModuleNotFoundError as error:
        raise Unread("a YAML file, which is read where the server is installed; here write it in TOML") from error
    try:
        return read(text)
    except NotPlain as error:
        raise Unread(str(error)) from error
