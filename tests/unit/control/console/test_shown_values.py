# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

import pytest
from django.utils import translation

from portineria.control.console.forms import AskForm
from portineria.control.console.templatetags import console

NOON = datetime(2026, 1, 7, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "name"),
    [("Europe/Rome", "CET"), ("Asia/Tokyo", "JST"), ("Asia/Kolkata", "IST"), ("America/Sao_Paulo", "UTC-3"),
     ("Asia/Kathmandu", "UTC+5:45"), ("UTC", "UTC")],
)  # fmt: skip
def test_a_time_says_its_zone(zone: str, name: str) -> None:
    assert console.zone_name(NOON.astimezone(zoneinfo.ZoneInfo(zone))) == name


def test_a_zone_that_does_not_exist_is_no_reason_to_break_a_page() -> None:
    assert console.zone_of("Mars/Olympus") is UTC
    assert console.zone_of("../../etc/passwd") is UTC


@pytest.mark.parametrize(
    ("language", "text"), [("en", "7 Jan 2026 11:30"), ("it", "7 gen 2026 11:30"), ("ja", "2026年1月7日 11:30")]
)
def test_a_date_is_written_as_people_there_write_it(language: str, text: str) -> None:
    with translation.override(language):
        assert console.written(NOON) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 minute"), (45, "45 minutes"), (90, "1.5 hours"), (100, "100 minutes"), (120, "2 hours"), (1440, "24 hours"),
     (2880, "2 days")],
)  # fmt: skip
def test_a_length_of_time_is_said_in_the_unit_that_fits(count: int, text: str) -> None:
    with translation.override("en"):
        assert console.minutes(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (184_320, "180 KiB"), (1 << 50, "1024 TiB")]
)
def test_an_amount_of_data_is_short(count: int, text: str) -> None:
    assert console.size(count) == text


@pytest.mark.parametrize(("language", "sign"), [("en", "."), ("it", ","), ("ja", ".")])
def test_part_of_a_number_follows_the_sign_of_the_language(language: str, sign: str) -> None:
    with translation.override(language):
        assert console.size(1340) == f"1{sign}3 KiB"
        assert console.size(5 << 20) == f"5{sign}0 MiB"
        assert console.minutes(90).startswith(f"1{sign}5")


def test_what_is_copied_is_shown_as_text_whatever_it_contains() -> None:
    shown = console.copyable('"><script>alert(1)</script>')
    assert "<script>" not in shown


def test_a_start_that_was_typed_is_the_time_on_the_wall_of_the_plant() -> None:
    data = {"reason": "Seal", "minutes": "60", "starts_at": "2026-07-01T08:00"}
    form = AskForm(data, max_minutes=480, zone="Asia/Tokyo")
    assert form.is_valid(), form.errors
    assert form.cleaned_data["starts_at"] == datetime(2026, 6, 30, 23, 0, tzinfo=UTC)


def test_nobody_can_ask_for_longer_than_the_rule_allows() -> None:
    form = AskForm({"reason": "Seal", "minutes": "480"}, max_minutes=120, zone="UTC")
    assert not form.is_valid()
    assert "minutes" in form.errors
