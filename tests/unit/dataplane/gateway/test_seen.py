# SPDX-License-Identifier: Apache-2.0
import sqlite3
from dataclasses import replace

import pytest

from portineria.dataplane.gateway.seen import (
    FOREVER_MS,
    SCHEMA,
    Seen,
    all_running,
    all_seen,
    forget,
    forget_stream,
    remember,
    remember_stream,
    with_order,
    with_withdrawal,
)
from portineria.wire.statement import Asset, Order

SEEN = Seen("ses_1", 3, b"3" * 32, 5000)


def order(order_seq: int, expires_ms: int = 9000) -> Order:
    return Order(
        "org_1", "gw_1", "ses_1", order_seq, bytes(32), [Asset("srv_1", "192.0.2.1", 502)], "any", 0, expires_ms, 8,
        "none", "none", "drain", 30, 60, 60, "sig_1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "order_seq", "digest", "reason"),
    [
        (SEEN, 4, b"4" * 32, None),
        (SEEN, 3, b"3" * 32, None),
        (SEEN, 3, b"x" * 32, "order.forked"),
        (SEEN, 2, b"2" * 32, "order.replayed"),
        (replace(SEEN, withdrawn_seq=4), 4, b"4" * 32, "order.withdrawn"),
        (replace(SEEN, withdrawn_seq=4), 5, b"5" * 32, None),
        (replace(SEEN, ended=True), 9, b"9" * 32, "order.ended"),
    ],
)
def test_an_order_is_judged_by_those_before_it(seen: Seen, order_seq: int, digest: bytes, reason: str | None) -> None:
    assert seen.refuses(order(order_seq), digest) == reason


def test_the_latest_end_of_all_orders_is_remembered() -> None:
    assert with_order(None, order(1, 9000), b"1" * 32).expires_ms == 9000
    assert with_order(replace(SEEN, expires_ms=20_000, withdrawn_seq=3), order(4, 9000), b"4" * 32) == Seen(
        "ses_1", 4, b"4" * 32, 20_000, 3
    )


def test_a_withdrawal_is_remembered_longer_than_any_order_lives() -> None:
    assert with_withdrawal(None, "ses_1", 7, 1000) == Seen("ses_1", 0, b"", 1000 + FOREVER_MS, 7)
    assert with_withdrawal(None, "ses_1", 7, 0).expires_ms > 1 << 60, "without the time it is not forgotten at all"
    assert with_withdrawal(replace(SEEN, withdrawn_seq=9), "ses_1", 7, 0).withdrawn_seq == 9


def test_what_is_remembered_comes_back_from_the_disk() -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    ended = replace(SEEN, session="ses_2", ended=True)
    for seen in (SEEN, ended, replace(SEEN, withdrawn_seq=2)):
        remember(seen)(db)
    remember_stream("ses_1", "str_1")(db)
    remember_stream("ses_1", "str_2")(db)
    forget_stream("str_1")(db)
    assert all_seen(db) == [ended, replace(SEEN, withdrawn_seq=2)]
    assert all_running(db) == [("ses_1", "str_2")]
    forget(6000)(db)
    assert [seen.session for seen in all_seen(db)] == ["ses_1"], "only what has ended is forgotten"
    db.close()
