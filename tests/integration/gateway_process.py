# SPDX-License-Identifier: Apache-2.0
"""A real gateway process on a state directory that is enrolled already (how that comes about has its own tests)."""

from pathlib import Path

from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway.reach import read_reach_argument, write_reach
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.state import Pinned, State
from portineria.process.settings import write_settings
from portineria.wire.certificate import spki_sha256
from tests.integration.authority import Authority
from tests.integration.process import Process

# The same logic with short clocks: what takes a minute in a plant takes a second here.
QUICK: dict[str, object] = {
    "retry_min_s": 0.05, "retry_max_s": 0.5, "spread_s": 0.05, "connect_s": 1.0, "order_wait_s": 0.5,
    "hello_s": 1.0, "time_wait_s": 2.0, "transfer_quiet_s": 2.0,
    "ask_again_s": 0.3, "review_s": 0.1, "acknowledge_s": 0.5, "admission_s": 0.2, "status_s": 0.2, "proxy": "none",
}  # fmt: skip


class GatewayProcess(Process):
    """``reach``: entries as on the command line. ``await start()``, then ``await authority.linked(gateway)``."""

    def __init__(self, authority: Authority, directory: Path, *, reach: list[str], **settings: object) -> None:
        self.state = State(directory)
        super().__init__(["-m", "portineria.dataplane.gateway", str(directory)], directory.with_suffix(".log"))
        self.authority, self.gateway = authority, new_id(Kind.GATEWAY)
        directory.mkdir(mode=0o700)
        self.keys = self.state.make_keys()
        authority.know(self.gateway, self.keys.request(name="test", version="0"))
        root = spki_sha256(authority.root_key.public_key())
        self.state.save_pinned(Pinned(root, authority.trust(self.gateway), "http://127.0.0.1:9"))
        self.state.save_certificate(authority.gateway_certificate(self.gateway))
        self.allow(*reach)
        write_settings(self.state.settings, GatewaySettings(**{**QUICK, **settings}))  # type: ignore[arg-type]

    def allow(self, *reach: str) -> None:
        """Write the local reach list."""
        write_reach(self.state.reach, tuple(read_reach_argument(entry) for entry in reach))
