# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench.database [EVENTS [ROUNDS [DATABASE]]]``: decisions, lists and pages over a large database."""

import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.estate import Size, prepare
from tests.bench.report import Figure, Found, figure

DECISIONS, LISTS, ASKED = 300, 40, 20  # how often in each round
LONGEST_S = 3.0  # for what takes long is asked less often


@dataclass
class Times:
    """Milliseconds of each call, by round."""

    rounds: list[list[float]] = field(default_factory=list)
    cpu: list[list[float]] = field(
        default_factory=list
    )  # of the same calls: what others do on the machine is not in it
    queries: int = 0  # the most that one call took

    def take(self, calls: list[Callable[[], object]]) -> None:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        calls[0]()  # a browser that comes for the first time, or a first look at the register, is noted once an hour
        with CaptureQueriesContext(connection) as asked:  # apart: remembering every statement takes time too
            calls[0]()
        self.queries = max(self.queries, len(asked))
        found: list[float] = []
        cpu: list[float] = []
        for call in calls:
            if sum(found) > LONGEST_S * 1e3:
                break
            began, used = time.perf_counter(), time.thread_time()
            call()
            found.append((time.perf_counter() - began) * 1e3)
            cpu.append((time.thread_time() - used) * 1e3)
        self.rounds.append(sorted(found))
        self.cpu.append(sorted(cpu))

    @property
    def p95(self) -> list[float]:
        return [_p95(times) for times in self.rounds]

    @property
    def line(self) -> str:
        p50 = statistics.median(value for row in self.rounds for value in row)
        cpu = statistics.median(_p95(times) for times in self.cpu)
        p95 = statistics.median(self.p95)
        return f"p95 {p95:>8.1f} ms (CPU {cpu:>7.1f})  p50 {p50:>8.1f} ms  {self.queries:>3} queries"


def _p95(times: list[float]) -> float:
    return times[min(len(times) - 1, -(-len(times) * 95 // 100) - 1)]


def decisions(source: random.Random, ask: Callable[[int, str], object]) -> list[Callable[[], object]]:
    """Open grants, rules without a grant, and machines that are absent, in equal parts; each with another person."""
    from django.utils import timezone

    from portineria.control.access.models import Grant, Rule
    from portineria.control.estate.models import Machine

    at = timezone.now()
    third = DECISIONS // 3
    open_now = list(Grant.objects.live(at).values_list("person", "machine__public_id")) or list(
        Grant.objects.order_by("-ends_at").values_list("person", "machine__public_id")[:third]
    )
    named = list(
        Rule.objects.filter(supplier__isnull=False, ended_at__isnull=True)
        .values_list("supplier__memberships__person", "machines__public_id").order_by("pk")[: 40 * third : 40]
    )  # fmt: skip
    machines = list(Machine.objects.order_by("pk").values_list("public_id", flat=True)[:: max(1, 10_000 // third)])
    others = [(person, source.choice(machines)) for person, _ in named]
    pairs = [pair for group in (open_now, named, others) for pair in source.choices(group, k=third)]
    source.shuffle(pairs)
    return [lambda pair=pair: ask(*pair) for pair in pairs]  # type: ignore[misc]


def _decided(person: int, machine: str) -> object:
    """May they, now? Machine and person are loaded too."""
    from django.utils import timezone

    from portineria.control.access.facts import decision
    from portineria.control.estate.models import Machine
    from portineria.control.identity.models import Person

    row = Machine.objects.select_related("plant", "gateway").get(public_id=machine)
    return decision(Person(pk=person), row, timezone.now())


def _seen_and_decided(person: int, machine: str) -> object:
    """As ``start_session`` asks: whoever it is, what they see of the machine, and once more under the lock."""
    from django.utils import timezone

    from portineria.control.access.facts import decision
    from portineria.control.access.queries import visible_machine
    from portineria.control.identity.models import Person
    from portineria.core.errors import NotFound

    at, actor = timezone.now(), Person.objects.get(pk=person)
    try:
        return decision(actor, visible_machine(actor, machine, at).machine, at)
    except NotFound:
        return None


def lists(source: random.Random) -> dict[str, list[Callable[[], object]]]:
    """Whole, as the API gives it to a connector; one leaf, as the console shows it."""
    from django.db.models import Count

    from portineria.control.access.queries import machines_in_sight, sights, visible_machines
    from portineria.control.identity.models import Membership, Person

    members = Membership.objects.filter(supplier__isnull=False)
    ordinary = list(members.order_by("pk").values_list("person", flat=True)[50 : 97 * LISTS : 97])
    # Whoever has most rules sees most machines.
    most = members.annotate(rules=Count("supplier__rules")).order_by("-rules", "pk").values_list("person", flat=True)[0]
    owner = Membership.objects.filter(role="administrator").order_by("pk").values_list("person", flat=True)[0]

    def whole(pk: int) -> object:
        return visible_machines(Person.objects.get(pk=pk))

    def leaf(pk: int, begin: int) -> object:
        actor = Person.objects.get(pk=pk)
        found = machines_in_sight(actor)
        return found.count(), sights(actor, list(found[begin : begin + 50]))

    begins = [source.randrange(0, 2000, 50) for _ in range(LISTS)]
    return {
        "technician": [lambda pk=pk: whole(pk) for pk in ordinary],  # type: ignore[misc]
        "largest supplier, leaf": [lambda begin=begin: leaf(most, begin) for begin in begins],  # type: ignore[misc]
        "largest supplier, whole": [lambda: whole(most)] * 5,
        "owner, leaf": [lambda begin=begin: leaf(owner, begin) for begin in begins],  # type: ignore[misc]
    }


def measure(rounds: int) -> dict[str, Times]:
    from tests.bench import pages

    found: dict[str, Times] = {}
    for number in range(rounds):
        source = random.Random(number)
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f} …", flush=True)
        found.setdefault("decision with what is seen", Times()).take(decisions(source, _seen_and_decided))
        found.setdefault("decision", Times()).take(decisions(source, _decided))
        for name, calls in lists(source).items():
            found.setdefault(f"visible: {name}", Times()).take(calls)
        for name, ask in pages.pages().items():
            found.setdefault(f"page: {name}", Times()).take([ask] * ASKED)
    return found


def figures(found: dict[str, Times]) -> dict[str, Figure]:
    """The slowest page speaks for all of them."""
    seen = {name: times for name, times in found.items() if name.startswith("page: ")}
    slowest = max(seen.values(), key=lambda times: statistics.median(times.p95))
    return {
        "policy.decision": figure(found["decision"].p95, "ms"),
        "policy.decision.start": figure(found["decision with what is seen"].p95, "ms"),
        "policy.visible": figure(found["visible: technician"].p95, "ms"),
        "policy.visible.leaf": figure(found["visible: largest supplier, leaf"].p95, "ms"),
        "console.pages": figure(slowest.p95, "ms"),
        "console.pages.queries": figure([max(times.queries for times in seen.values())], ""),
    }


def measured(events: int = 1_000_000, rounds: int = 3) -> Found:
    prepare(Size(events=events), "")
    return Found(figures(measure(rounds)))


def main(arguments: list[str]) -> int:
    events, rounds = int(arguments[0]) if arguments else 10_000_000, int(arguments[1]) if arguments[1:] else 3
    prepare(Size(events=events), arguments[2] if arguments[2:] else "")
    found = measure(rounds)
    for name, times in sorted(found.items(), key=lambda pair: -statistics.median(pair[1].p95)):
        print(f"{name:<44} {times.line}")
    for name, made in figures(found).items():
        print(f"{name:<44} {made.value:g} {made.unit}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
