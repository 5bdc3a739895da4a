# SPDX-License-Identifier: Apache-2.0
"""What this gateway believes, and how it grows while the process runs (WIRE 6)."""

from portineria.dataplane.gateway.additions import with_additions
from portineria.dataplane.gateway.state import Pinned, State
from portineria.wire.enrolment import Trust
from portineria.wire.statement import Additions, OpeningKey


class Pins:
    """On the disk before it counts. What is added is named, for the register."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.pinned = state.load_pinned()

    @property
    def trust(self) -> Trust:
        return self.pinned.trust

    @property
    def recipients(self) -> list[str]:
        """Of recordings."""
        return self.pinned.recording_recipients

    def opening_key(self) -> OpeningKey:
        """That events are sealed to."""
        return self.trust.opening_keys[-1]

    def add(self, letter: Additions, unix_ms: int | None) -> list[str]:
        pinned, names = with_additions(self.pinned, letter, unix_ms)
        if names:
            self._keep(pinned)
        return names

    def add_recipients(self, recipients: list[str]) -> list[str]:
        """For ever, as far as letters go."""
        new = [one for one in dict.fromkeys(recipients) if one not in self.recipients]
        if new:
            self._keep(self.pinned.with_recipients([*self.recipients, *new]))
        return new

    def _keep(self, pinned: Pinned) -> None:
        self._state.save_pinned(pinned)
        self.pinned = pinned
