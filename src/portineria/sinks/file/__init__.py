# SPDX-License-Identifier: Apache-2.0
"""Files on the server's own disk, for whatever follows files there: a collector, a backup, a write-once share."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from portineria.core.ids import Kind, parse_id
from portineria.sinks.apart import apart
from portineria.sinks.file.message import WRITERS
from portineria.sinks.file.rotation import Rotation
from portineria.sinks.kind import FOLDER, SinkKind, Taken
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape

_MIB = 1 << 20
CLOSE_S = 2.0  # that whoever delivers waits for it
SETTINGS = (
    Setting("file", Shape.WORD),
    Setting("format", Shape.CHOICE, default="ocsf", choices=tuple(WRITERS)),
    Setting("size_mib", Shape.CHOICE, default="100", choices=("1", "10", "100", "1000")),
    Setting("files", Shape.CHOICE, default="10", choices=("2", "10", "100")),
)


class _Files:
    def __init__(self, settings: Mapping[str, str]) -> None:
        size, files = int(settings["size_mib"]) * _MIB, int(settings["files"])
        self._files = (settings[FOLDER], settings["file"])
        self._rotation = Rotation(Path(settings[FOLDER]), settings["file"], size, files)
        self._write = WRITERS[settings["format"]]

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        organisation = parse_id(events[0].organisation, Kind.ORGANISATION)
        lines = b"".join(self._write(event) + b"\n" for event in events)
        await apart(partial(self._rotation.append, organisation, lines), alone=self._files)
        return Taken(len(events))

    async def close(self) -> None:
        """A disk that hangs keeps its files until it comes back; whoever opens them meanwhile hears of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await apart(self._rotation.close)


INFO = SinkKind("file", "Files on the server", SETTINGS, WRITERS["ocsf"], _Files, local=True)
