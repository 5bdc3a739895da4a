# SPDX-License-Identifier: Apache-2.0
"""The console as a process of its own: ``python -m tests.browser.server STATE PORT``.

Prints the world it made as one line of JSON once it answers. A line ``receipt SESSION`` on its standard input lets the
gateway of that session sign for the cut, ``traffic SESSION BYTES`` lets it tell what has passed, ``glance SESSION PART
TARGETS`` lets it show what is being done; the end of the input ends the process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import uvicorn

from portineria.control import operations


def obey(server: uvicorn.Server) -> None:
    from portineria.control.audit import news
    from tests.browser import world

    for line in sys.stdin:
        verb, _, subject = line.strip().partition(" ")
        if verb == "receipt":
            world.receipt(subject)
        elif verb == "traffic":
            session, _, to_device = subject.partition(" ")
            world.traffic(session, int(to_device))
        elif verb == "glance":
            session, part, targets = subject.split(" ", 2)
            world.glance(session, int(part), targets)
    news.end_all()
    server.should_exit = True


def main(state: Path, port: int) -> None:
    state.mkdir(parents=True, exist_ok=True)
    (state / "portineria.toml").write_text(f'public_url = "http://localhost:{port}"\n', "utf-8")
    operations.initialise(state)
    from portineria.control.asgi import application
    from portineria.control.sealer import Sealer
    from tests.browser import world

    made = world.make()
    config = uvicorn.Config(application, host="127.0.0.1", port=port, lifespan="off", log_level="warning",
                            timeout_graceful_shutdown=1)  # fmt: skip
    server = uvicorn.Server(config)
    threading.Thread(target=obey, args=(server,), daemon=True).start()
    threading.Thread(target=lambda: asyncio.run(Sealer().run()), daemon=True).start()
    print(json.dumps(asdict(made)), flush=True)
    server.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
