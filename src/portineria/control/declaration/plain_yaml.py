# SPDX-License-Identifier: Apache-2.0
"""The YAML that a declaration may be written in: keys and values that stand for nothing but themselves."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

_DEPTH = 16  # a declaration needs six
# To YAML 1.1, 010 is eight and 1:30 is ninety; << takes another mapping's keys, and a long number is none of ours.
_OTHERWISE = re.compile(
    r"<<|[-+]?(?:0[0-9_xb][0-9a-fA-F_]*|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9][0-9_]{18,})"
)


class NotPlain(Exception):
    """What is wrong with the text, and where."""


class _Loader(yaml.CSafeLoader):
    """Says where a key stands twice, of which YAML's own loader takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(text: str) -> dict[str, Any]:
    """Raise NotPlain."""
    try:
        _require_plain(text)
        found = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader: it makes no objects of our code
    except yaml.MarkedYAMLError as error:
        why = ", ".join(part for part in (error.context, error.problem) if part)
        raise NotPlain(_said(why, error.problem_mark)) from error
    except (yaml.YAMLError, ValueError) as error:  # a control character; a day that no month has
        raise NotPlain(f"not a YAML file: {error}") from error
    if not isinstance(found, dict):
        raise NotPlain("not a declaration: keys with their values are wanted")
    return found


def _require_plain(text: str) -> None:
    """An alias could stand for an alias, and a few lines for a billion values; a tag would make something else of what
    is written than it looks like.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise NotPlain(_said("aliases and anchors are not read", event.start_mark))
        if getattr(event, "tag", None):
            raise NotPlain(_said("tags are not read", event.start_mark))
        if isinstance(event, yaml.ScalarEvent) and not event.style and _OTHERWISE.fullmatch(event.value):
            raise NotPlain(_said(f"{event.value[:20]} is read otherwise than it looks: quote it", event.start_mark))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise NotPlain(_said("nested too deeply", event.start_mark))


def _said(problem: str, where: Any) -> str:
    place = f"line {where.line + 1}, column {where.column + 1}: " if where else ""
    return f"not a YAML file: {place}{problem}"
