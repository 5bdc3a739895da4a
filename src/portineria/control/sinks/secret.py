# SPDX-License-Identifier: Apache-2.0
"""What of a sink only this installation may read: wrapped by the master key, and bound to its row."""

import json
import secrets
from collections.abc import Mapping

from portineria.control.identity.vault import unwrap, wrap
from portineria.control.settings.start import current
from portineria.control.sinks.models import Sink
from portineria.core.errors import Unavailable
from portineria.sinks.catalogue import kind_of
from portineria.sinks.kind import FOLDER, Sender, SinkKind

_PSEUDONYMS = ""  # no setting is called so


class NoSuchKind(Unavailable):
    """A sink that a newer version made."""

    code = "sinks.kind"


class NoFolder(Unavailable):
    """Whoever runs the server did not say where files may be written."""

    code = "sinks.folder"


def wrapped(public_id: str, given: Mapping[str, str]) -> bytes:
    return wrap(json.dumps({**given, _PSEUDONYMS: secrets.token_hex(32)}).encode(), purpose=f"sink {public_id}")


def rewrapped(sink: Sink, given: Mapping[str, str]) -> bytes:
    """With the key of its pseudonyms: what was sent and what will be are the same people."""
    kept = {**given, _PSEUDONYMS: _opened(sink)[_PSEUDONYMS]}
    return wrap(json.dumps(kept).encode(), purpose=f"sink {sink.public_id}")


def secrets_of(sink: Sink) -> dict[str, str]:
    """Raise WrongMasterKey."""
    return {name: value for name, value in _opened(sink).items() if name != _PSEUDONYMS}


def _opened(sink: Sink) -> dict[str, str]:
    found: dict[str, str] = json.loads(unwrap(bytes(sink.wrapped), purpose=f"sink {sink.public_id}"))
    return found


def pseudonym_key(sink: Sink) -> bytes:
    return bytes.fromhex(_opened(sink)[_PSEUDONYMS])


def sender(sink: Sink) -> Sender:
    """Raise NoSuchKind, WrongMasterKey, BadSetting, NoFolder."""
    return _kind(sink).open(settings_of(sink))


def settings_of(sink: Sink) -> dict[str, str]:
    """With its secrets. Raise NoSuchKind, WrongMasterKey, NoFolder."""
    kind = _kind(sink)
    defaults = {setting.name: setting.default for setting in kind.settings}
    ours = {FOLDER: _folder()} if kind.local else {}
    return {**defaults, **sink.settings, **_opened(sink), **ours}


def _folder() -> str:
    folder = current().sink_folder
    if folder is None or not folder.is_dir():
        raise NoFolder("sink_folder is not set, or no folder")
    return str(folder)


def _kind(sink: Sink) -> SinkKind:
    kind = kind_of(sink.kind)
    if kind is None:
        raise NoSuchKind(f"this version knows no sink of kind {sink.kind!r}")
    return kind
