# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import pytest

import hatch_build
from portineria.control.access.models import RequestState
from portineria.control.console import texts
from portineria.control.console.texts import events as texts_of_events
from portineria.control.console.texts import sinks
from portineria.control.console.texts.events import EVENTS, GROUPS
from portineria.control.console.texts.reasons import REASONS
from portineria.control.console.texts.states import _STATES
from portineria.control.estate.models import Criticality, GatewayState, OnSilence
from portineria.control.identity.models import Role
from portineria.control.remote_sessions.models import SessionState
from portineria.control.sinks.models import Personal
from portineria.core.event import CATALOGUE
from portineria.core.event_meaning import Severity
from portineria.policy.ending import Ending, Reason
from portineria.sinks.catalogue import ALL
from portineria.sinks.setting import Shape

CONSOLE = Path(texts.__file__).parents[1]
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))


def test_every_event_of_the_catalogue_has_words_and_no_others_do() -> None:
    assert set(EVENTS) == set(CATALOGUE)


def test_every_group_of_the_filter_finds_something() -> None:
    assert all(any(code.startswith(beginning) for code in CATALOGUE) for beginning, _ in GROUPS)


def test_every_kind_of_event_can_be_chosen_once_and_belongs_to_a_group() -> None:
    offered = [code for _group, kinds in texts_of_events.kinds() for code, _name in kinds]
    assert sorted(offered) == sorted([*EVENTS, *dict(GROUPS)])
    assert {code for prefix in dict(GROUPS) for code in texts_of_events.codes_of(prefix)} == set(EVENTS)
    assert texts_of_events.codes_of("nothing.") == []


@pytest.mark.parametrize("reason", [*Reason, *Ending])
def test_every_reason_of_policy_has_words(reason: Enum) -> None:
    assert reason.value in REASONS


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("session", SessionState),
        ("request", RequestState),
        ("gateway", GatewayState),
        ("criticality", Criticality),
        ("role", Role),
    ],
)
def test_every_state_has_a_word_an_icon_and_a_colour(kind: str, states: type[Enum]) -> None:
    assert {state.value for state in states} <= _STATES[kind].keys()


def test_what_a_machine_does_on_silence_has_words() -> None:
    assert {value.value for value in OnSilence} <= REASONS.keys()


def test_a_state_nobody_knows_shows_its_name_rather_than_nothing() -> None:
    assert texts.state("brand-new", "session").text == "brand-new"


def test_two_states_of_one_thing_never_differ_by_colour_alone() -> None:
    for kind, states in _STATES.items():
        words = [str(shown.text) for shown in states.values()]
        assert len(set(words)) == len(words), kind


def test_every_setting_of_a_sink_has_words_and_every_shape_says_what_is_wrong() -> None:
    settings = {setting for kind in ALL for setting in kind.settings}
    assert sinks.SETTINGS.keys() == {setting.name for setting in settings}
    assert sinks.CHOICES.keys() == {choice for setting in settings for choice in setting.choices}
    assert sinks.FAULTS.keys() == set(Shape)
    assert sinks.PERSONAL.keys() == set(Personal.values)
    assert sinks.SEVERITIES.keys() == set(Severity)


def icons_in_use() -> set[str]:
    used = {name for path in TEMPLATES for name in re.findall(r'{% icon "([a-z0-9-]+)"', path.read_text("utf-8"))}
    return used | {shown.icon for states in _STATES.values() for shown in states.values()}


def test_every_icon_is_in_the_sheet() -> None:
    assert icons_in_use() <= set(hatch_build.ICONS)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(CONSOLE).as_posix())
def test_no_template_needs_what_the_policy_forbids(path: Path) -> None:
    """script-src and style-src are 'self': no inline scripts, handlers or styles. Data in JSON is no script."""
    text = path.read_text("utf-8")
    scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", text)
    assert scripts + re.findall(r"\son[a-z]+=|\sstyle=|<style", text) == []


@pytest.mark.parametrize("path", sorted((CONSOLE / "views").glob("*.py")), ids=lambda path: path.name)
def test_views_ask_queries_and_services_only(path: Path) -> None:
    assert re.findall(r"\.objects\b|\bis_staff\b\.|\.save\(", path.read_text("utf-8")) == []
