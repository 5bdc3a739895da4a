# SPDX-License-Identifier: Apache-2.0
"""Passwords in lines are cut out, and nothing else of them."""

from __future__ import annotations

import pytest

from portineria.recording.clear_text import MOST_CUTS
from portineria.recording.cut import Scissors

TO_DEVICE, FROM_DEVICE = 0, 1


def kept(*said: tuple[int, bytes]) -> list[bytes]:
    scissors, sides = Scissors(), [b"", b""]
    for direction, data in said:
        sides[direction] += scissors.take(direction, data).data
    return [side + scissors.rest(direction).data for direction, side in enumerate(sides)]


def test_the_password_of_ftp_is_cut_out() -> None:
    asked, _ = kept((FROM_DEVICE, b"220 ready\r\n"), (TO_DEVICE, b"USER ann\r\npass h\xc3\xa4mmer\r\nLIST\r\n"))
    assert asked == b"USER ann\r\npass *******\r\nLIST\r\n"


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (
            b"GET / HTTP/1.1\r\nauthorization: Basic YTpi\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nauthorization: Basic ****\r\nHost: a\r\n\r\n",
        ),
        (b"GET / HTTP/1.1\r\nCookie: id=7; b=8\r\n\r\n", b"GET / HTTP/1.1\r\nCookie: *********\r\n\r\n"),
        (
            b"POST /in HTTP/1.1\r\n\r\nuser=a&Password=b%20c&go=1",
            b"POST /in HTTP/1.1\r\n\r\nuser=a&Password=*****&go=1",
        ),
        (b"GET /in?pwd=x HTTP/1.1\r\n\r\n", b"GET /in?pwd=* HTTP/1.1\r\n\r\n"),
        (b'POST /in HTTP/1.1\r\n\r\n{"passwd": "xyz"}', b'POST /in HTTP/1.1\r\n\r\n{"passwd": "***"}'),
        (b'GET / HTTP/1.1\r\nAuthorization: Digest username="a"\r\n\r\n', None),
        (b"GET /PASS 1 HTTP/1.1\r\nX-Authorization: Basic abc\r\n\r\n", None),
    ],
)
def test_credentials_of_http_are_cut_out(asked: bytes, left: bytes | None) -> None:
    assert kept((TO_DEVICE, asked))[TO_DEVICE] == (asked if left is None else left)


def test_a_cookie_that_a_device_sets_is_cut_out() -> None:
    _, told = kept((TO_DEVICE, b"GET / HTTP/1.1\r\n\r\n"), (FROM_DEVICE, b"HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\n\r\n"))
    assert told == b"HTTP/1.1 200 OK\r\nSet-Cookie: ***\r\n\r\n"


def test_what_is_typed_behind_a_prompt_is_cut_out_with_its_echo() -> None:
    prompt = b"\xff\xfb\x01login: "
    said = [(FROM_DEVICE, prompt), (TO_DEVICE, b"root\r\n"), (FROM_DEVICE, b"root\r\nPassword: \xff\xfb\x01")]
    said += [step for symbol in (b"h", b"i", b"!") for step in ((TO_DEVICE, symbol), (FROM_DEVICE, symbol))]
    said += [(TO_DEVICE, b"\r\n"), (FROM_DEVICE, b"\r\n$ "), (TO_DEVICE, b"hi!\r\n"), (FROM_DEVICE, b"hi!\r\n")]
    asked, told = kept(*said)
    assert asked == b"root\r\n***\r\nhi!\r\n"
    assert told == prompt + b"root\r\nPassword: \xff\xfb\x01***\r\n$ hi!\r\n"


def test_a_page_that_asks_for_a_password_is_no_prompt() -> None:
    asked = b"GET /next HTTP/1.1\r\n\r\n"
    said = (TO_DEVICE, asked), (FROM_DEVICE, b"HTTP/1.1 200 OK\r\n\r\nPassword: "), (TO_DEVICE, asked)
    assert kept(*said)[TO_DEVICE] == asked + asked


def test_nothing_is_looked_for_in_what_is_encrypted() -> None:
    asked = b"\r\nPASS abc\r\n"
    said = (FROM_DEVICE, b"SSH-2.0-x\r\n"), (TO_DEVICE, b"SSH-2.0-y\r\n"), (TO_DEVICE, asked)
    assert kept(*said)[TO_DEVICE].endswith(asked)


def test_a_client_that_says_less_than_a_protocol_needs_is_recorded_all_the_same() -> None:
    assert kept((TO_DEVICE, b"abc"), (FROM_DEVICE, b"x"), (TO_DEVICE, b"defghijkl")) == [b"abcdefghijkl", b"x"]
    assert kept((TO_DEVICE, b"abc")) == [b"abc", b""]


NAWS = b"\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0"  # "my window has 80 by 24" (RFC 1073)


@pytest.mark.parametrize("asks", [b"\r\nPassword: ", b"\r\nPassword: \xff\xf9", b"Pass\xff\xfd\x1fword: "])
@pytest.mark.parametrize("split", [1, 3, 100])
def test_commands_of_telnet_stand_between_a_prompt_and_what_is_typed(asks: bytes, split: int) -> None:
    typed = NAWS + b"s3\xff\xf1cret\r\nshow\r\n"
    pieces = [(TO_DEVICE, typed[at : at + split]) for at in range(0, len(typed), split)]
    asked, _ = kept((FROM_DEVICE, b"\xff\xfd\x18\xff\xfd\x1f" + asks), *pieces)
    assert asked == NAWS + b"**\xff\xf1****\r\nshow\r\n"


def test_a_client_that_begins_with_options_is_prompted_all_the_same() -> None:
    asked, _ = kept((TO_DEVICE, b"\xff\xfb\x1f"), (FROM_DEVICE, b"Password: "), (TO_DEVICE, b"s3cret\r\n"))
    assert asked == b"\xff\xfb\x1f******\r\n"


@pytest.mark.parametrize("split", [1, 2, 5, 100])
def test_a_quotation_mark_in_a_password_does_not_end_it(split: int) -> None:
    said = rb"POST /in HTTP/1.1" + b"\r\n\r\n" + rb'{"password":"a\\\"b\\","user":"c"}'
    asked, _ = kept(*((TO_DEVICE, said[at : at + split]) for at in range(0, len(said), split)))
    assert asked == said.replace(rb"a\\\"b\\", b"*" * 8)


def test_secrets_without_end_are_cut_out_as_one_and_looked_for_once() -> None:
    """Each found one used to have all rules look at the rest again, while the gateway waited."""
    scissors = Scissors()
    scissors.take(TO_DEVICE, b"POST /in HTTP/1.1\r\n\r\n")
    found = scissors.take(TO_DEVICE, b"&pwd=a" * 40_000 + b"\r\n")
    assert len(found.cuts) == MOST_CUTS
    assert found.cuts[-1].at + found.cuts[-1].size == 240_002
    assert scissors.take(TO_DEVICE, b"rest&user=b").data == b"****&user=b"
