# SPDX-License-Identifier: Apache-2.0
"""Against what others wrote who have the standards' text: the text itself is sold, and was not at hand."""

from __future__ import annotations

from portineria.protocols.iec104.functions import SEGMENT, TYPES

# Octets of one information object without its address: go-iecp5 (asdu/identifier.go, riclolsen/go-iecp5 at 45e7587).
SIZES = {
    1: 1, 2: 4, 3: 1, 4: 4, 5: 2, 6: 5, 7: 5, 8: 8, 9: 3, 10: 6, 11: 3, 12: 6, 13: 5, 14: 8, 15: 5, 16: 8, 17: 6, 18: 7,
    19: 7, 20: 5, 21: 2, 30: 8, 31: 8, 32: 9, 33: 12, 34: 10, 35: 10, 36: 12, 37: 12, 38: 10, 39: 11, 40: 11, 45: 1,
    46: 1, 47: 1, 48: 3, 49: 3, 50: 5, 51: 4, 70: 1, 100: 1, 101: 1, 102: 0, 103: 7, 104: 2, 105: 1, 106: 2, 107: 9,
    110: 3, 111: 3, 112: 5, 113: 1, 120: 6, 121: 7, 122: 4, 123: 5, 124: 4, 126: 13,
}  # fmt: skip
# "companion standard 101, subclass …", as the same and part5 (pascaldekloe/part5) cite it.
CITED = {
    **{1: "7.3.1.1", 2: "7.3.1.2", 3: "7.3.1.3", 4: "7.3.1.4", 5: "7.3.1.5", 6: "7.3.1.6", 7: "7.3.1.7", 8: "7.3.1.8"},
    **{13: "7.3.1.13", 14: "7.3.1.14", 15: "7.3.1.15", 16: "7.3.1.16", 17: "7.3.1.17", 18: "7.3.1.18", 19: "7.3.1.19"},
    **{30: "7.3.1.22", 31: "7.3.1.23", 32: "7.3.1.24", 33: "7.3.1.25", 35: "7.3.1.27", 36: "7.3.1.28", 37: "7.3.1.29"},
    **{38: "7.3.1.30", 39: "7.3.1.31", 40: "7.3.1.32", 45: "7.3.2.1", 46: "7.3.2.2", 47: "7.3.2.3", 48: "7.3.2.4"},
    **{49: "7.3.2.5", 50: "7.3.2.6", 51: "7.3.2.7", 70: "7.3.3.1", 100: "7.3.4.1", 101: "7.3.4.2", 102: "7.3.4.3"},
    **{103: "7.3.4.4", 104: "7.3.4.5", 105: "7.3.4.6", 106: "7.3.4.7", 110: "7.3.5.1", 111: "7.3.5.2", 112: "7.3.5.3"},
    **{113: "7.3.5.4", 120: "7.3.6.1", 121: "7.3.6.2", 122: "7.3.6.3", 123: "7.3.6.4", 124: "7.3.6.5"},
}  # fmt: skip


def test_each_object_has_the_size_that_others_give_it() -> None:
    ours = {number: each.following.size for number, each in TYPES.items() if number in SIZES}
    assert ours == SIZES
    with_time = {58: 45, 59: 46, 60: 47, 61: 48, 62: 49, 63: 50, 64: 51}  # and seven octets of time behind them
    assert {number: TYPES[number].following.size for number in with_time} == {
        number: SIZES[plain] + 7 for number, plain in with_time.items()
    }
    assert set(TYPES) - set(SIZES) - set(with_time) == {SEGMENT, 127}


def test_each_clause_is_the_one_that_others_cite() -> None:
    assert {number: TYPES[number].clause for number in CITED} == {
        number: f"101, {clause}" for number, clause in CITED.items()
    }
