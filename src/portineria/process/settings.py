# SPDX-License-Identifier: Apache-2.0
"""One frozen struct per process, from a TOML file and the environment; a misspelt name is refused at start."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

import msgspec

from portineria.core.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)


class BadSettings(Invalid):
    code = "settings"


def read_settings(shape: type[T], path: Path | None, *, prefix: str, ignore: frozenset[str] = frozenset()) -> T:
    """Return ``shape`` from the TOML file (if any) overridden by ``PREFIX_FIELD`` variables; raise BadSettings.

    ``ignore``: variables with this prefix that belong to somebody else.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise BadSettings(f"{path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadSettings(f"{path}: {error}") from error
    values |= _overrides(shape, prefix, ignore)
    _refuse_unknown(shape, values, str(path or "settings"))
    try:
        return msgspec.convert(values, shape, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{path or 'settings'}: {error}") from error


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"{value!r} is not a {kind.__name__}")


def _overrides(shape: type[T], prefix: str, ignore: frozenset[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in os.environ.items():
        if name.startswith(prefix) and name not in ignore:
            field = name.removeprefix(prefix).lower()
            _refuse_unknown(shape, {field: value}, name)
            found[field] = _items(value) if _is_list(shape, field) else value
    return found


def _is_list(shape: type[T], field: str) -> bool:
    return any(part.name == field and _says_list(part.type) for part in msgspec.structs.fields(shape))


def _says_list(declared: Any) -> bool:
    """For ``list[X]``, alone, with a description or as one of several possibilities."""
    if get_origin(declared) is Annotated:
        return _says_list(get_args(declared)[0])
    return get_origin(declared) is list or any(get_origin(one) is list for one in get_args(declared))


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _refuse_unknown(shape: type[T], values: dict[str, Any], where: str) -> None:
    known = [field.name for field in msgspec.structs.fields(shape)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BadSettings(f"{where}: there is no setting {name!r}{hint}")


def write_settings(path: Path, settings: msgspec.Struct) -> None:
    """Write a flat settings struct as TOML, readable by its owner only, replacing the file in one step."""
    lines = []
    for name, value in cast(dict[str, Any], msgspec.to_builtins(settings, enc_hook=_plain)).items():
        if value is not None:
            lines.append(f"{name} = {_toml(value)}")
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)  # one left by a crash keeps its own mode
    new.touch(mode=0o600, exist_ok=False)
    new.write_text("\n".join(lines) + "\n", "utf-8")
    new.replace(path)


def _plain(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"a setting of type {type(value).__name__}")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return msgspec.json.encode(str(value)).decode().replace("\x7f", "\\u007f")  # but for DEL a JSON string is TOML's
