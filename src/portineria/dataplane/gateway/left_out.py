# SPDX-License-Identifier: Apache-2.0
"""What one recording leaves out, counted for the register: whoever reads no recording learns that something is not in
it, and of which kind.
"""

from collections.abc import Iterator, Sequence

from portineria.dataplane.gateway.functions import Fields
from portineria.recording.kept import Cut

WITHHELD = "recording.withheld"
MOST = 32  # lines of one recording: some twenty rules, a few of them on each of some services
_OTHERS = ("", "others")


class LeftOut:
    """By service and rule; what finds no line is counted in one."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], list[int]] = {}

    def count(self, service: str, cuts: Sequence[Cut]) -> None:
        for cut in cuts:
            key = service, cut.rule
            if key not in self._counted and len(self._counted) >= MOST:
                key = _OTHERS
            places = self._counted.setdefault(key, [0, 0])
            places[0] += 1
            places[1] += cut.size

    def lines(self) -> Iterator[Fields]:
        for (service, rule), (places, size) in self._counted.items():
            yield {"service": service, "cut_rule": rule, "count": places, "bytes": size}
