# SPDX-License-Identifier: Apache-2.0
"""A register that is sent once more to one sink, from first to last: ``python -m tests.bench.sinks EVENTS``.

Syslog over TCP to a receiver that reads and counts, in this process; SQLite with ``synchronous=FULL``.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

TOGETHER = 1000
LONGEST_S = 3600.0


def _fill(organisation: str, events: int) -> None:
    from django.db import transaction

    from portineria.control.audit.drafts import draft
    from portineria.control.audit.services import append

    for begin in range(0, events, TOGETHER):
        with transaction.atomic():
            append(
                [
                    draft("estate.zone.created", organisation=organisation, actor="per_a", plant="pla_a", name=f"{at}")
                    for at in range(begin, min(begin + TOGETHER, events))
                ]
            )


class _Receiver:
    def __init__(self) -> None:
        self.received = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(1 << 20):
            self.received += len(part)
        writer.close()


def _set_up(state: Path, events: int) -> tuple[int, str]:
    """The sink's row, and how its register is called."""
    from portineria.control.operations import initialise

    initialise(state)
    from portineria.control.identity.authority import Operator
    from portineria.control.identity.services import create_organisation
    from portineria.control.sinks.services import add_sink

    organisation = create_organisation(actor=Operator(), name="Bench").public_id
    _fill(organisation, events)
    settings = {"host": "127.0.0.1", "port": "1", "transport": "tcp"}
    sink = add_sink(
        actor=Operator(), organisation=organisation, name="bench", kind="syslog", settings=settings, from_now=False
    )
    return sink.pk, organisation


async def _replayed(sink: int, organisation: str) -> dict[str, float]:
    from portineria.control.audit.models import Head
    from portineria.control.delivering import Delivering
    from portineria.control.sinks.models import Sink

    receiver = _Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    row = await Sink.objects.aget(pk=sink)
    row.settings["port"] = str(server.sockets[0].getsockname()[1])
    await row.asave(update_fields=["settings"])
    written = (await Head.objects.aget(organisation=organisation)).seq
    began = time.monotonic()
    task = asyncio.get_running_loop().create_task(Delivering("bench.example").run())
    while time.monotonic() - began < LONGEST_S:
        if (await Sink.objects.aget(pk=sink)).delivered >= written:
            break
        await asyncio.sleep(0.1)
    took = time.monotonic() - began
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.close()
    return {"events": written, "seconds": round(took, 2), "bytes": receiver.received, "a_second": round(written / took)}


def main(events: int) -> int:
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    with tempfile.TemporaryDirectory() as state:
        sink, organisation = _set_up(Path(state), events)
        found = asyncio.run(_replayed(sink, organisation))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
