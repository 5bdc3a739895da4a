# SPDX-License-Identifier: Apache-2.0
"""Where things stand in the answers of a system that nobody knew beforehand, and where it wants them. Pure."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from portineria.sinks.setting import BadSetting

NUMBER = "{number}"
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9/._~?=&%{}-]{0,255}")
_PLACE = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,7}")


class Find(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``number`` and ``state``: places in the answer, ``status.name``. 404 means that there is none."""

    path: str
    number: str
    state: str
    machines: str = ""
    suppliers: str = ""


class Comment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``text``: the place in what is sent."""

    path: str
    text: str
    method: str = "POST"


class Open(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``search``: an address with the key in place of ``{number}``; ``found``: where the list of tickets stands in the
    answer. ``fixed``: texts that every new ticket has, by their places.
    """

    path: str
    title: str
    text: str
    key: str
    search: str
    found: str
    fixed: Mapping[str, str] = {}


class Mapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    find: Find
    comment: Comment | None = None
    open: Open | None = None


def mapped(text: str) -> Mapped:
    """Raise BadSetting, with the place of the fault."""
    try:
        found = msgspec.convert(tomllib.loads(text), Mapped)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise BadSetting("mapping", str(error)[:200]) from error
    _check(found)
    return found


def _check(found: Mapped) -> None:
    """Raise BadSetting."""
    find, comment, new = found.find, found.comment, found.open
    paths = {"find.path": find.path}
    places = {"find.number": find.number, "find.state": find.state}
    places |= {f"find.{name}": getattr(find, name) for name in ("machines", "suppliers") if getattr(find, name)}
    if comment is not None:
        paths["comment.path"], places["comment.text"] = comment.path, comment.text
        if comment.method not in ("POST", "PUT", "PATCH"):
            raise BadSetting("mapping", "comment.method: POST, PUT or PATCH")
    if new is not None:
        paths["open.search"] = new.search
        places |= {f"open.{name}": getattr(new, name) for name in ("title", "text", "key", "found")}
        places |= {f"open.fixed.{name}": name for name in new.fixed}
        if not _PATH.fullmatch(new.path):
            raise BadSetting("mapping", "open.path: no path")
    for name, path in paths.items():
        if not _PATH.fullmatch(path) or NUMBER not in path or "{" in path.replace(NUMBER, ""):
            raise BadSetting("mapping", f"{name}: a path with {NUMBER} in it")
    for name, place in places.items():
        if not _PLACE.fullmatch(place):
            raise BadSetting("mapping", f"{name}: names with dots between them")


def placed(values: Mapping[str, str]) -> dict[str, Any]:
    """{"a.b": "x", "a.c": "y"} → {"a": {"b": "x", "c": "y"}}. Raise BadSetting where two want one place."""
    made: dict[str, Any] = {}
    for place, value in values.items():
        *above, name = place.split(".")
        within = made
        for one in above:
            below = within.setdefault(one, {})
            if not isinstance(below, dict):
                raise BadSetting("mapping", f"{place}: there is a text above it")
            within = below
        if name in within:
            raise BadSetting("mapping", f"{place}: there is something else already")
        within[name] = value
    return made
