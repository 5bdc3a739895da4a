# SPDX-License-Identifier: Apache-2.0
"""What a process tells of itself in numbers: how each is called, what it means, and what only ever grows.

Labels have values that stand in our source (states, codes, kinds), never a name, an address or an id: whoever collects
figures learns how busy a house is, not who is in it. And so there are only so many of them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

MOST = 1000  # different labels of one figure; the rest is counted together
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Figure:
    """``name``: by the conventions of Prometheus, with its unit; what only grows ends in ``_total``."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        return "counter" if self.name.endswith("_total") else "gauge"

    def of(self, value: float, *labels: str) -> "Sample":
        return Sample(self, float(value), labels)


@dataclass(frozen=True, slots=True)
class Sample:
    figure: Figure
    value: float
    labels: tuple[str, ...] = ()


Read = Callable[[], Iterable[Sample]]


class Counts:
    """From any thread. Kept whether or not somebody reads them: one costs a microsecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Figure, dict[tuple[str, ...], float]] = {}

    def add(self, figure: Figure, *labels: str, by: float = 1) -> None:
        with self._lock:
            counted = self._of.setdefault(figure, {})
            if labels not in counted and len(counted) >= MOST:
                labels = (OTHER,) * len(labels)
            counted[labels] = counted.get(labels, 0.0) + by

    def read(self) -> Iterator[Sample]:
        with self._lock:
            found = [(figure, dict(counted)) for figure, counted in self._of.items()]
        for figure, counted in found:
            for labels, value in counted.items():
                yield Sample(figure, value, labels)


counts = Counts()  # of this process

BUILD = Figure(
    "portineria_build_info", "Always 1; which part of Portineria this is, and its version.", ("part", "version")
)
READY = Figure("portineria_ready", "1 while nothing keeps this process from its work, as /readyz says; else 0.")
LOGGED = Figure(
    "portineria_log_records_total",
    "Lines of the operators' log by what they say (`event`, as in the log) and level; of libraries under `library`.",
    ("event", "level"),
)
COMMON = (BUILD, READY, LOGGED)
