# SPDX-License-Identifier: Apache-2.0
"""Single services of a machine: the words by which a rule names them, and which services those are.

A word is the name of a service or of its protocol, as the estate has it. What no word names is not in any order: the
gateway knows nothing of it, and refuses it as everything else that was not approved.
"""

from collections.abc import Iterable
from typing import TypeVar

from portineria.control.access.models import Grant, Rule
from portineria.control.estate.models import Machine, Service
from portineria.control.identity.services import BadField, clean_name
from portineria.core.errors import Conflict

MOST_SERVICES = 20  # words of one rule
_WORD = 60  # estate.Service.name
_S = TypeVar("_S", bound=Service)


class NoServiceLeft(Conflict):
    """``machine``: by name."""

    code = "access.rule.no-service-left"

    def __init__(self, machine: Machine) -> None:
        super().__init__(f"no service of {machine.name} is named")
        self.values = {"machine": machine.name}


def clean_services(words: Iterable[str]) -> str:
    """As they are kept: each once, on a line of its own; none: every service. Raise BadField."""
    named = {word.casefold(): word for word in (clean_name(word, "services", characters=_WORD) for word in words)}
    if len(named) > MOST_SERVICES:
        raise BadField("services", f"at most {MOST_SERVICES}")
    return "\n".join(named[key] for key in sorted(named))


def words_of(kept: str) -> list[str]:
    return kept.split("\n") if kept else []


def named(kept: str, services: Iterable[_S]) -> list[_S]:
    """Those that these words name."""
    words = {word.casefold() for word in words_of(kept)}
    return [one for one in services if not words or {one.name.casefold(), one.protocol.casefold()} & words]


def named_by_both(grant: Grant, services: Iterable[_S]) -> list[_S]:
    """Its rule of now, and what the rule said when somebody approved: wider later is no wider for what was given."""
    return named(grant.rule.only_services, named(grant.only_services, services))


def keep_to(rule: Rule, words: Iterable[str] | None) -> None:
    """In memory, for the machines that it names one by one now; None: to what it keeps to already. Raise BadField, and
    NoServiceLeft where one of them would have nothing: it is most often a word that is misspelt.
    """
    if words is not None:
        rule.only_services = clean_services(words)
    if not rule.only_services:
        return
    offered: dict[int, list[Service]] = {}
    for service in Service.objects.filter(device__machine__rules=rule).select_related("device__machine"):
        offered.setdefault(service.device.machine_id, []).append(service)
    for services in offered.values():
        if not named(rule.only_services, services):
            raise NoServiceLeft(services[0].device.machine)
