# SPDX-License-Identifier: Apache-2.0
import json
import time

import msgspec

from portineria.control.audit.news import Subscription
from portineria.control.remote_sessions.glances import RING_CHARACTERS, Ring, _show, look, look_away, since, wanted
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


def test_what_the_supplier_never_did_on_the_machine_is_marked_as_it_happens() -> None:
    ring = Ring("ses_a", "gw_a", frozenset({"modbus read-coils"}))
    [line] = glance(1).lines[:1]
    seen = [(function, verdict) for verdict in ("passed", "refused") for function in ("read-coils", "umas-stop")]
    lines = [msgspec.structs.replace(line, function=function, verdict=verdict) for function, verdict in seen]
    ring.add(msgspec.structs.replace(glance(1), lines=lines))
    shown = json.loads(since(ring, "")[0][1])["lines"]
    assert [(one["function"], one["new"]) for one in shown] == [
        ("read-coils", False), ("umas-stop", True), ("read-coils", False), ("umas-stop", False),
    ]  # fmt: skip


async def test_a_glance_counts_once_in_its_time_and_of_the_gateway_whose_session_it_is() -> None:
    page, now = Subscription(frozenset(), "", False), int(time.time() * 1000)
    ring = look("ses_a", "gw_a", page)
    assert ring is not None
    fresh = [msgspec.structs.replace(glance(part), at_ms=now, lines=[]) for part in (1, 2, 3)]
    _show("gw_b", fresh[0])
    _show("gw_a", glance(1))  # of long ago
    _show("gw_a", msgspec.structs.replace(fresh[0], session="ses_b"))
    assert since(ring, "") == []
    for one in (fresh[1], fresh[1], fresh[0], fresh[2]):
        _show("gw_a", one)
    assert [name for name, _ in since(ring, "")] == ["00000000-2", "00000000-3"]
    look_away(ring, page)
    assert not wanted("gw_a")
