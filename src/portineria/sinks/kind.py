# SPDX-License-Identifier: Apache-2.0
"""What every sink says of itself, and what one that sends has to keep to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from portineria.core.errors import Invalid, Unavailable
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting

if TYPE_CHECKING:
    from portineria.sinks.ticketing import Tickets


FOLDER = "the server's folder"  # no setting is called so


class Away(Unavailable):
    """Nothing of this batch is known to have arrived: it is sent again later. The message holds no text of theirs."""

    code = "sinks.away"

    def __init__(self, why: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Refused(Invalid):
    """The receiver will never take these bytes, whatever is the matter with one of them."""

    code = "sinks.refused"


class NoLibrary(Unavailable):
    """This kind needs an extra that is not installed; the message is its name."""

    code = "sinks.extra"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the first ``count`` events: acknowledged, or never to be taken (index → why).

    Fewer than were given: the others come again. ``away`` says why, where they have to wait for it.
    """

    count: int
    refused: Mapping[int, str] = field(default_factory=dict)
    away: Away | None = None


class Sender(Protocol):
    """For one batch after the other, in order. Whoever cancels it knows nothing of the batch on its way."""

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        """Return once the receiver acknowledged. Raise Away, Refused."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SinkKind:
    """``write``: one event as this receiver reads it, without what stands around a batch; no text in it ends a line.
    ``open``: with every setting and secret, as ``cleaned`` returns them. ``acknowledged``: the receiver says so.
    ``tickets``: as ``open``, where this receiver keeps tickets that requests refer to.
    """

    name: str
    title: str
    settings: tuple[Setting, ...]
    write: Callable[[Outgoing], bytes]
    open: Callable[[Mapping[str, str]], Sender]
    acknowledged: bool = True
    most_events: int = 500  # of one batch
    tickets: "Callable[[Mapping[str, str]], Tickets] | None" = None
    local: bool = False  # it writes in the folder that FOLDER of ``open``'s mapping names, which nobody types

    @property
    def where(self) -> str:
        """The setting that says to whom it goes; empty where there is none."""
        return next((setting.name for setting in self.settings if setting.shape.whom), "")
