# SPDX-License-Identifier: Apache-2.0
from portineria.control.remote_sessions.glances import RING_CHARACTERS, Ring
from portineria.wire.report import GLANCE_LINES, SHOWN_CHARACTERS, Glance, Seen

LONG = "\U0001f512" * SHOWN_CHARACTERS


def glance(part: int) -> Glance:
    line = Seen(1, 1, "srv_a", "modbus", "passed", "read", LONG, LONG, LONG, LONG, 1, True, LONG, LONG)
    return Glance(bytes(32), "ses_a", part, 1, [line] * GLANCE_LINES)


def test_a_flood_stays_within_a_ring_and_the_newest_stays() -> None:
    ring = Ring("ses_a", "gw_a")
    for part in range(1, 200):
        assert ring.add(glance(part))
        assert ring.size <= RING_CHARACTERS
    assert not ring.add(glance(199))
    assert ring.since("")[-1][0] == "00000000-199"
    assert len(ring.since("00000000-198")) == 1
    assert sum(len(text) for _, text in ring.since("")) == ring.size
