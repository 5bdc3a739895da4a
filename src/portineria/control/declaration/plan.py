# SPDX-License-Identifier: Apache-2.0
"""What has to happen so that the organisation is as declared: steps in plain words, in the order they are done."""

from collections.abc import Callable
from dataclasses import dataclass, field

from portineria.control.identity.authority import Actor, Operator
from portineria.control.identity.models import Person


@dataclass(slots=True)
class Work:
    """While steps are done: who acts, who lets people in and says so in the register, and the ids of everything so far,
    ``("machine", plant, name)`` → id.
    """

    actor: Person
    by: Actor
    organisation: str
    ids: dict[tuple[str, ...], str]
    invitations: dict[str, str] = field(default_factory=dict)  # e-mail address → path


@dataclass(frozen=True, slots=True)
class Step:
    place: str  # in the file
    text: str
    act: Callable[[Work], None]
    changes: bool = False  # something that exists; otherwise it adds


@dataclass(slots=True)
class Plan:
    by: Actor = field(default_factory=Operator)
    steps: list[Step] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)  # declared, and to be applied again later
    kept: list[str] = field(default_factory=list)  # declared otherwise, and not ours to change
    untouched: list[str] = field(default_factory=list)  # there, and not declared
    faults: list[str] = field(default_factory=list)

    def add(self, place: str, text: str, act: Callable[[Work], None]) -> None:
        self.steps.append(Step(place, text, act))

    def change(self, place: str, text: str, act: Callable[[Work], None]) -> None:
        self.steps.append(Step(place, text, act, changes=True))

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(step.text for step in self.steps)
