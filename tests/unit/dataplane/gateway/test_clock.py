# SPDX-License-Identifier: Apache-2.0
import pytest

from portineria.dataplane.gateway.clock import QUESTIONS_KEPT, TrustedClock

TWENTY_26 = 1_795_000_000_000


class Boot:
    """Seconds since boot, moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_the_time_counts_from_when_it_was_asked_for() -> None:
    boot = Boot()
    clock = TrustedClock(answer_s=30, now=boot)
    clock.asked(b"n")
    boot.at += 2
    assert not clock.known
    assert clock.set(b"n", TWENTY_26) == 0
    assert clock.unix_ms == TWENTY_26 + 2000
    boot.at += 3600
    assert clock.unix_ms == TWENTY_26 + 3_602_000
    assert clock.boot_of(TWENTY_26 + 10_000) == 110


def test_an_answer_nobody_asked_for_or_that_took_too_long_is_not_believed() -> None:
    boot = Boot()
    clock = TrustedClock(answer_s=30, now=boot)
    assert clock.set(b"strange", TWENTY_26) is None
    clock.asked(b"n")
    boot.at += 31
    assert clock.set(b"n", TWENTY_26) is None
    assert clock.unix_ms == 0
    with pytest.raises(ValueError, match="not known"):
        clock.boot_of(TWENTY_26)


def test_a_step_is_measured() -> None:
    boot = Boot()
    clock = TrustedClock(answer_s=30, now=boot)
    for nonce, unix_ms in ((b"a", TWENTY_26), (b"b", TWENTY_26 + 90_000)):
        clock.asked(nonce)
        step = clock.set(nonce, unix_ms)
    assert step == 90_000


def test_questions_are_forgotten_in_their_order() -> None:
    clock = TrustedClock(answer_s=30, now=Boot())
    for number in range(QUESTIONS_KEPT + 1):
        clock.asked(bytes([number]))
    assert clock.sent_at(bytes([0])) is None
    assert clock.sent_at(bytes([1])) == 100
