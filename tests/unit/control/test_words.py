# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.control.audit.words import (
    MOST_WORDS,
    QUERY_WORDS,
    WORD_CHARACTERS,
    event_words,
    of_code,
    query_words,
    words,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Order 4711: Seal", ["order", "4711", "seal"]),
        ("technician@example.com", ["technician", "example", "com"]),
        ("perché È STRASSE straße", ["perche", "e", "strasse"]),
        ("ＡＢＣ１２３", ["abc123"]),
        ("mac_abcdefghijklmnop!", ["mac_abcdefghijklmnop"]),
        ("プレス機", ["プ", "レ", "ス", "機", "プレ", "レス", "ス機"]),
        ("ﾌﾟﾚｽ3号", ["プ", "レ", "ス", "プレ", "レス", "3", "号"]),
        ("油圧pump", ["油", "圧", "油圧", "pump"]),
        ("", []),
        ('" * ( ) - :', []),
        ("\u202eevil\x00\u200f", ["evil"]),
        ("x" * 500, ["x" * WORD_CHARACTERS]),
    ],
)
def test_a_text_is_cut_into_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("油圧機", ["油圧", "圧機"]), ("鍵", ["鍵"]), ("Seal 鍵", ["seal", "鍵"]), ("NEAR(a b)", ["near", "a", "b"])],
)  # fmt: skip
def test_a_search_wants_pairs_where_there_are_pairs(text: str, wanted: list[str]) -> None:
    assert query_words(text) == wanted


@given(st.text(max_size=600))
def test_whatever_is_written_is_found_by_itself_and_never_says_anything_to_a_database(text: str) -> None:
    found, wanted = words(text), query_words(text)
    assert set(wanted) <= set(found)
    assert len(wanted) <= QUERY_WORDS
    for word in found:
        assert all(symbol.isalnum() or symbol == "_" for symbol in word if symbol.isascii())
        assert not word.startswith("_")
        assert len(word) <= WORD_CHARACTERS


def test_one_event_has_no_more_words_than_is_bearable_and_always_the_same() -> None:
    fields = {f"name{number}": " ".join(str(number * 1000 + word) for word in range(100)) for number in range(32)}
    given_fields = {
        "organisation": "org_a", "code": "access.request.made", "actor": "per_a", "columns": ["mac_a", ""],
        "personal": ["b", "a"],
    }  # fmt: skip
    found = event_words(fields=fields, **given_fields)  # type: ignore[arg-type]
    assert len(found) == MOST_WORDS
    turned = dict(reversed(fields.items()))
    assert event_words(fields=turned, **given_fields | {"personal": ["a", "b"]}) == found  # type: ignore[arg-type]


def test_hashes_and_moments_are_no_words_and_a_search_is_not_found_by_its_own() -> None:
    fields = {"report_sha256": "ab" * 32, "ends_at": "2026-01-01T00:00:00+00:00", "name": "Press"}
    common = {"organisation": "org_a", "actor": "gw_a", "columns": [], "fields": fields, "personal": ["Rossi"]}
    assert event_words(code="stream.opened", **common)[2:] == ["gw_a", "press", "rossi"]  # type: ignore[arg-type]
    assert event_words(code="audit.register.read", **common)[1:] == [of_code("audit.register.read"), "gw_a"]  # type: ignore[arg-type]
