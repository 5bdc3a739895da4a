# SPDX-License-Identifier: Apache-2.0
"""What is kept of a stream that passes unread."""

from __future__ import annotations

from portineria.dataplane.gateway.beginning import Beginning
from portineria.protocols.recognition import BEGINNING


def test_the_first_bytes_of_both_sides_are_kept_and_no_more() -> None:
    beginning = Beginning()
    for _ in range(300):
        beginning.to_device([memoryview(b"SS"), memoryview(b"H-")])
    wanted = [beginning.missing]
    beginning.from_device(memoryview(b"x" * 10_000))
    assert [*wanted, beginning.missing] == [True, False]
    assert beginning.recognised() == "ssh"
    assert len(beginning._to_device) == len(beginning._from_device) == BEGINNING


def test_pieces_say_what_the_whole_says() -> None:
    beginning, greeting = Beginning(), b"SSH-2.0-dropbear\r\n"
    assert beginning.recognised() == ""
    for octet in greeting:
        beginning.from_device(memoryview(bytes((octet,))))
    assert (beginning.recognised(), beginning.missing) == ("ssh", True)
