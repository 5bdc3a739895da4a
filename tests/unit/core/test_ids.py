# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.core.errors import Invalid
from portineria.core.ids import Kind, new_id, parse_id


@pytest.mark.parametrize("kind", Kind)
def test_a_new_id_explains_itself_and_is_read_back(kind: Kind) -> None:
    text = new_id(kind)
    assert text.startswith(f"{kind}_")
    assert parse_id(text, kind) == text
    assert len(text) <= 24  # what the wire gives an id


def test_no_two_ids_are_alike() -> None:
    assert len({new_id(Kind.SESSION) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "text",
    ["", "gw_", "gw_aaaaaaaaaaaaaaa", "gw_aaaaaaaaaaaaaaaaa", "gw_AAAAAAAAAAAAAAAA", "gw_aaaaaaaaaaaaaaa1",
     "ses_aaaaaaaaaaaaaaaa", "gw_aaaaaaaaaaaaaaaa\n", " gw_aaaaaaaaaaaaaaaa", "gw-aaaaaaaaaaaaaaaa",
     "gw_aaaaaaaaaaaaaaa\u0430", "../gw_aaaaaaaaaaaaaaaa"],
)  # fmt: skip
def test_what_is_not_an_id_of_this_kind_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_id(text, Kind.GATEWAY)
    assert text == "" or text not in str(refused.value)  # it comes from outside and must not reach a log line


def test_a_prefix_of_another_kinds_prefix_does_not_pass() -> None:
    with pytest.raises(Invalid):
        parse_id("gwx_aaaaaaaaaaaaaaaa", Kind.GATEWAY)
