# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portineria.policy.function_profile import (
    BUILT_IN,
    ENGINEER,
    FIRMWARE,
    HARMLESS,
    OBSERVE,
    OBSERVING,
    PROFILE_BYTES,
    BadProfile,
    Clause,
    Denial,
    Meter,
    Place,
    Profile,
    Rate,
    Why,
    decode_profile,
    encode_profile,
    judge,
    operate,
)
from portineria.protocols.catalogue import ALL
from portineria.protocols.operation import Kind, Operation, Target, Value


def asked(kind: Kind = Kind.WRITE, function: str = "write", **fields: object) -> Operation:
    return Operation("modbus", function, "6", kind, **fields)  # type: ignore[arg-type]


def reasons(profile: Profile, *operations: Operation, at: float = 0.0, meter: Meter | None = None) -> set[Why]:
    meter = meter or Meter(profile)
    judgement = judge(profile, operations, meter, at)
    meter.count(judgement, at)
    return {reason for denial in judgement.denials for reason in denial.reasons}


SPEED = Target("holding", 104)
SPEEDS = Clause((Kind.WRITE,), targets=(Place("holding", 100, 119),), low=0, high=500)
LINE_3 = operate("line 3", [SPEEDS])


@pytest.mark.parametrize("kind", list(Kind))
def test_each_built_in_profile_admits_what_it_says(kind: Kind) -> None:
    """Of a protocol of which nobody listed what is harmless."""
    observing = {Kind.IDENTIFY, Kind.READ, Kind.SESSION}
    assert (reasons(OBSERVE, asked(kind)) == set()) == (kind in observing)
    assert (reasons(ENGINEER, asked(kind)) == set()) == (kind not in {Kind.FIRMWARE, Kind.UNKNOWN})
    assert (reasons(FIRMWARE, asked(kind)) == set()) == (kind is not Kind.UNKNOWN)


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (asked(targets=(SPEED,), values=(500,)), set()),
        (asked(targets=(Target("holding", 118, 2),), values=(0, 500)), set()),
        (asked(targets=(Target("holding", 119, 2),), values=(0, 500)), {Why.TARGET}),
        (asked(targets=(Target("holding", 99),), values=(1,)), {Why.TARGET}),
        (asked(targets=(Target("coil", 104),), values=(True,)), {Why.TARGET}),
        (asked(targets=(SPEED, Target("holding", 4)), values=(1, 1)), {Why.TARGET}),
        (asked(values=(1,)), {Why.TARGET}),
        (asked(targets=(SPEED,), values=(501,)), {Why.VALUE}),
        (asked(targets=(Target("holding", 104, 2),), values=(1, -1)), {Why.VALUE}),
        (asked(targets=(SPEED,)), {Why.VALUE}),
        (asked(targets=(SPEED,), values=("7",)), {Why.VALUE}),
        (asked(targets=(SPEED,), values=(float("nan"),)), {Why.VALUE}),
        (asked(targets=(SPEED,), values=(1,), route=("unit 3",)), {Why.ROUTE}),
        (asked(targets=(Target("holding", 0),), values=(501,), route=("unit 3",)), {Why.ROUTE, Why.TARGET, Why.VALUE}),
        (asked(Kind.STOP), {Why.FUNCTION}),
        (asked(Kind.UNKNOWN), {Why.UNKNOWN}),
    ],
)
def test_every_reason_of_the_clause_that_comes_closest_is_told(operation: Operation, why: set[Why]) -> None:
    assert reasons(LINE_3, operation) == why


def test_of_two_clauses_as_close_the_first_is_told_and_one_about_another_function_last() -> None:
    far, near = Clause((Kind.STOP,)), Clause((Kind.WRITE,), targets=(Place("coil"),), low=1, high=1)
    other = Clause((Kind.WRITE,), targets=(Place("holding", 1, 1),))
    profile = Profile("two", (far, Clause((Kind.WRITE,), low=9), other, near))
    assert reasons(profile, asked(targets=(SPEED,), values=(5,))) == {Why.VALUE}
    assert reasons(Profile("far", (far, near)), asked(targets=(SPEED,), values=(5,))) == {Why.TARGET, Why.VALUE}
    assert reasons(Profile("none"), asked(route=("unit 3",))) == {Why.FUNCTION, Why.ROUTE}


@pytest.mark.parametrize(
    ("place", "target", "inside"),
    [
        (Place("a", 1, 5), Target("a", 1, 5), True),
        (Place("a", 1, 5), Target("a", 5), True),
        (Place("a", 1, 5), Target("a", 1, 6), False),
        (Place("a", 1, 5), Target("a", 0), False),
        (Place("a", 1, 5), Target("b", 1), False),
        (Place("a", 1, 5), Target("a", 3, 0), False),
        (Place("a", 1, 5), Target("a", name="x"), False),
        (Place("a", 1), Target("a", 1), False),  # half an interval is none
        (Place("a", last=5), Target("a", 1), False),
        (Place("a"), Target("a", 1), True),
        (Place("a"), Target("a", name="x"), True),
        (Place("b"), Target("a", name="x"), False),
        (Place("a", name="xy*"), Target("a", name="xy"), True),
        (Place("a", name="xy*"), Target("a", name="xz"), False),
        (Place("a", name="xy"), Target("a", name="xyz"), False),
        (Place("a", name="xy"), Target("a", 1, name="xy"), False),
    ],
)
def test_a_place_covers_what_lies_in_it_whole(place: Place, target: Target, inside: bool) -> None:
    assert place.covers(target) == inside


@pytest.mark.parametrize(
    ("clause", "values", "passes"),
    [
        (Clause(low=5), (5, 5.5), True),
        (Clause(low=5), (4.9,), False),
        (Clause(high=5), (5, -1e300, True), True),
        (Clause(high=5), (5.1,), False),
        (Clause(low=float("nan")), (1,), False),
        (Clause(high=float("nan")), (1,), False),
        (Clause(high=5), (float("nan"),), False),
        (Clause(high=5), (float("inf"),), False),
        (Clause(high=5), (None,), False),
    ],
)
def test_every_value_lies_within_the_limits(clause: Clause, values: tuple[Value, ...], passes: bool) -> None:
    profile = Profile("limits", (clause,))
    assert reasons(profile, asked(values=values)) == (set() if passes else {Why.VALUE})
    assert reasons(profile, asked(Kind.READ)) == set()  # it hands nothing over


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.UNKNOWN])
def test_limits_have_nothing_to_say_about_what_hands_nothing_over(kind: Kind) -> None:
    nothing = kind in {Kind.IDENTIFY, Kind.READ, Kind.PROGRAM_READ, Kind.SESSION, Kind.DIAGNOSTIC}
    assert reasons(Profile("limits", (Clause(low=0, high=1),)), asked(kind)) == (set() if nothing else {Why.VALUE})


def test_a_bundle_passes_whole_or_not_at_all() -> None:
    good, bad = asked(targets=(SPEED,), values=(1,)), asked(targets=(SPEED,), values=(501,))
    [denial] = judge(LINE_3, [good, bad, good], Meter(LINE_3), 0).denials
    assert denial.operation is bad


def test_behind_the_device_is_only_what_is_named() -> None:
    clause = Clause((Kind.READ,), routes=(("unit 3",), ("slot 1", "unit 2")))
    profile = Profile("behind", (clause,))
    assert reasons(profile, asked(Kind.READ, route=("unit 3",))) == set()
    assert reasons(profile, asked(Kind.READ, route=("slot 1", "unit 2"))) == set()
    assert reasons(profile, asked(Kind.READ)) == {Why.ROUTE}
    assert reasons(profile, asked(Kind.READ, route=("unit 3", "unit 2"))) == {Why.ROUTE}


def test_a_route_that_means_the_device_itself_is_as_good_as_none() -> None:
    there, elsewhere = asked(Kind.READ, route=("unit 1",)), asked(Kind.READ, route=("unit 2",))
    own = {("unit 1",)}
    assert not judge(OBSERVE, [there], Meter(OBSERVE), 0, own).denials
    assert [denial.reasons for denial in judge(OBSERVE, [there, elsewhere], Meter(OBSERVE), 0, own).denials] == [
        (Why.ROUTE,)
    ]
    behind = Profile("behind", (Clause((Kind.READ,), routes=(("unit 2",),)),))
    assert judge(behind, [there], Meter(behind), 0, own).denials


DISTURBING = {
    "modbus": {
        "restart-communications", "change-ascii-delimiter", "force-listen-only",
        "clear-counters", "clear-overrun-count",
    },
}  # fmt: skip


@pytest.mark.parametrize("protocol", HARMLESS)
def test_what_is_called_harmless_is_a_diagnostic_that_its_decoder_knows(protocol: str) -> None:
    [info] = [info for info in ALL if info.name == protocol]
    diagnostics = {function.name for function in info.functions if function.kind is Kind.DIAGNOSTIC}
    assert set(HARMLESS[protocol]) < diagnostics
    for function in diagnostics:
        operation = Operation(protocol, function, "", Kind.DIAGNOSTIC)
        disturbs = bool(judge(OBSERVE, [operation], Meter(OBSERVE), 0).denials)
        assert disturbs == (function in DISTURBING[protocol])


def test_names_count_whole_or_by_their_beginning() -> None:
    profile = operate("tags", [Clause((Kind.WRITE,), targets=(Place("tag", name="Press.*"), Place("tag", name="A")))])
    assert reasons(profile, asked(targets=(Target("tag", name="Press.Speed"),))) == set()
    assert reasons(profile, asked(targets=(Target("tag", name="A"),))) == set()
    assert reasons(profile, asked(targets=(Target("tag", name="AB"),))) == {Why.TARGET}
    assert reasons(profile, asked(targets=(Target("tag", 3, name="A"),))) == {Why.TARGET}


def test_an_unknown_function_passes_only_where_the_profile_says_so() -> None:
    unknown = asked(Kind.UNKNOWN, "function-100")
    assert reasons(Profile("all", (Clause(),)), unknown) == {Why.UNKNOWN}
    assert reasons(Profile("named", (Clause(functions=("function-100",)),)), unknown) == {Why.UNKNOWN}
    assert reasons(Profile("said", (Clause((Kind.UNKNOWN,)),)), unknown) == set()


def test_a_rate_counts_what_passed_and_grows_back() -> None:
    profile = Profile("slow", (Clause((Kind.WRITE,), rate=Rate(2, 4)),))
    meter, write = Meter(profile), asked()
    assert [reasons(profile, write, at=at, meter=meter) for at in (10, 10, 10, 11.9)] == [
        set(), set(), {Why.RATE}, {Why.RATE},
    ]  # fmt: skip
    assert reasons(profile, write, at=12, meter=meter) == set()
    assert reasons(profile, write, write, at=14, meter=meter) == {Why.RATE}
    assert reasons(profile, write, at=14, meter=meter) == set()
    assert reasons(profile, write, write, write, at=1000, meter=meter) == {Why.RATE}


def test_a_rate_grows_from_the_latest_moment_and_what_has_none_is_never_spent() -> None:
    profile = Profile("slow", (Clause((Kind.WRITE,), rate=Rate(1, 10)), Clause((Kind.STOP,))))
    meter, write, stop = Meter(profile), asked(), asked(Kind.STOP)
    assert (meter.left(0, 0.0), meter.left(0, 99.0), meter.left(1, 0.0)) == (1.0, 1.0, float("inf"))
    assert reasons(profile, write, *[stop] * 5, at=0.0, meter=meter) == set()
    assert (meter.left(0, 5.0), meter.left(0, -5.0), meter.left(1, 0.0)) == (0.5, 0.0, float("inf"))
    assert reasons(profile, write, at=10.0, meter=meter) == set()
    meter.count(judge(profile, [write], Meter(profile), 0.0), 4.0)  # a clock that went back
    assert (meter.left(0, 10.0), meter.left(0, 30.0)) == (-1.0, 1.0)


def test_a_refused_bundle_costs_nothing_of_a_rate() -> None:
    profile = Profile("slow", (Clause((Kind.WRITE,), rate=Rate(1, 60)),))
    meter = Meter(profile)
    assert reasons(profile, asked(), asked(Kind.STOP), at=1, meter=meter) == {Why.FUNCTION}
    assert reasons(profile, asked(), at=1, meter=meter) == set()


# -- for all profiles -------------------------------------------------------------------------------------------

kinds = st.sampled_from(list(Kind))
words = st.sampled_from(["a", "b", "ab"])
places = st.builds(
    lambda area, first, size: Place(area, first, first + size), words, st.integers(0, 9), st.integers(0, 9)
) | st.builds(lambda area, name: Place(area, name=name), words, st.sampled_from(["", "x", "x*", "*"]))
routes = st.sampled_from([(), ("u1",), ("u1", "u2")])
limits = st.none() | st.integers(-3, 3) | st.floats(-3, 3)
clauses = st.builds(
    Clause,
    kinds=st.lists(kinds, max_size=4).map(tuple),
    functions=st.lists(words, max_size=2).map(tuple),
    targets=st.lists(places, max_size=2).map(tuple),
    routes=st.lists(routes, min_size=1, max_size=2).map(tuple),
    low=limits,
    high=limits,
    rate=st.none() | st.builds(Rate, st.integers(1, 3), st.integers(1, 9)),
)
profiles = st.builds(lambda found: Profile("p", tuple(found)), st.lists(clauses, max_size=4))
targets = st.builds(Target, words, st.none() | st.integers(0, 12), st.integers(1, 4), st.sampled_from(["", "x", "xy"]))
values = st.integers(-4, 4) | st.floats() | st.booleans() | st.text(max_size=2) | st.none()
operations = st.builds(
    Operation,
    st.just("modbus"),
    words,
    st.just("1"),
    kinds,
    st.lists(targets, max_size=2).map(tuple),
    st.lists(values, max_size=3).map(tuple),
    routes,
)
bundles = st.lists(operations, min_size=1, max_size=3)


def admits(profile: Profile, bundle: list[Operation]) -> bool:
    return not judge(profile, bundle, Meter(profile), 0.0).denials


LIMITS = ["kinds", "functions", "protocol", "targets", "routes", "low", "high", "rate", "clause"]


def narrowed(wide: Profile, which: int, limit: str, by: Clause) -> Profile:
    """The same with a clause less, or one more limit in one of its clauses: what ``by`` has, where it had none."""
    if not wide.clauses:
        return wide
    clauses = list(wide.clauses)
    clause = clauses.pop(which % len(clauses))
    if limit == "clause":
        return Profile("narrow", tuple(clauses))
    change: dict[str, object] = {
        "kinds": clause.kinds[:1] or tuple(kind for kind in by.kinds if kind is not Kind.UNKNOWN) or (Kind.WRITE,),
        "functions": clause.functions[:1] or by.functions or ("a",),
        "protocol": "modbus",
        "targets": clause.targets[:1] or by.targets or (Place("a", 0, 9),),
        "routes": clause.routes[:1],
        "low": (by.low or 0) if clause.low is None else clause.low + 1,
        "high": (by.high or 0) if clause.high is None else clause.high - 1,
        "rate": Rate(1, 1),
    }
    clauses.insert(which % len(wide.clauses), msgspec.structs.replace(clause, **{limit: change[limit]}))
    return Profile("narrow", tuple(clauses))


@given(profiles, clauses, bundles, st.integers(0, 3), st.sampled_from(LIMITS))
def test_limits_narrow_clauses_widen_holds_only_ask_and_every_refusal_has_a_reason(
    profile: Profile, clause: Clause, bundle: list[Operation], which: int, limit: str
) -> None:
    """All of it about one profile: to make one up takes much longer than to judge by it."""
    judgement = judge(profile, bundle, Meter(profile), 0.0)
    assert all(denial.reasons and denial.operation in bundle for denial in judgement.denials)
    admitted = not judgement.denials
    assert admitted >= admits(narrowed(profile, which, limit, clause), bundle)

    wider = msgspec.structs.replace(profile, clauses=(*profile.clauses, clause))
    assert admitted <= admits(wider, bundle)

    holding = msgspec.structs.replace(profile, hold=(clause,))
    held = judge(holding, bundle, Meter(holding), 0.0)
    assert held.denials == judge(wider, bundle, Meter(wider), 0.0).denials
    assert bool(held.held) <= (not admitted)

    encoded = encode_profile(holding)
    assert decode_profile(encoded) == holding
    assert encode_profile(decode_profile(encoded)) == encoded


@given(operations)
def test_each_built_in_profile_admits_what_the_one_before_it_does(operation: Operation) -> None:
    order = [OBSERVE, operate("o", [SPEEDS]), ENGINEER, FIRMWARE]
    admitted = [admits(profile, [operation]) for profile in order]
    assert admitted == sorted(admitted)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_profile_are_refused_as_such(data: bytes) -> None:
    try:
        profile = decode_profile(data)
    except BadProfile:
        return
    assert isinstance(profile, Profile)


def test_a_profile_of_a_later_version_is_refused_rather_than_half_understood() -> None:
    later = msgspec.msgpack.encode({"name": "later", "clauses": [{"kinds": ["read"], "weekday": "monday"}]})
    with pytest.raises(BadProfile):
        decode_profile(later)


def test_a_profile_that_is_too_large_is_refused_on_both_sides() -> None:
    def filled(length: int) -> Profile:
        places = (*(Place("tag", name="x" * 240) for _ in range(63)), Place("tag", name="x" * length))
        return Profile("large", (Clause(targets=places),))

    most = filled(100 + PROFILE_BYTES - len(msgspec.msgpack.encode(filled(100))))
    encoded = encode_profile(most)
    assert (len(encoded), decode_profile(encoded)) == (PROFILE_BYTES, most)
    larger = msgspec.structs.replace(most, name="larger")
    why = f"profile of {PROFILE_BYTES + 1} bytes, allowed {PROFILE_BYTES}"
    with pytest.raises(BadProfile, match=f"^{why}$"):
        encode_profile(larger)
    with pytest.raises(BadProfile, match=f"^{why}$"):
        decode_profile(msgspec.msgpack.encode(larger))
    with pytest.raises(BadProfile, match=r"^DecodeError in a profile of 1 bytes$"):
        decode_profile(b"\xc1")


def test_the_built_in_profiles_are_found_by_their_names() -> None:
    assert list(BUILT_IN) == ["observe", "engineer", "firmware", "trial"]
    assert BUILT_IN["trial"].notes_only
    assert BUILT_IN["trial"].clauses == OBSERVING
    assert operate("line 3", [SPEEDS]) == Profile("line 3", (*OBSERVING, SPEEDS), notes_only=False)
    assert operate("tried", [SPEEDS], notes_only=True) == Profile("tried", (*OBSERVING, SPEEDS), notes_only=True)


# -- what is held ---------------------------------------------------------------------------------------------------

HOLDING = Profile("holding", (*OBSERVING, SPEEDS), hold=(Clause((Kind.WRITE, Kind.STOP)),))


def test_only_what_no_clause_admits_and_one_that_holds_does_is_held() -> None:
    within, beyond = asked(targets=(SPEED,), values=(180,)), asked(targets=(SPEED,), values=(999,))
    assert judge(HOLDING, [within], Meter(HOLDING), 0.0).held == ()
    stop = asked(Kind.STOP)
    assert judge(HOLDING, [beyond, within, stop], Meter(HOLDING), 0.0).held == (
        Denial(beyond, (Why.HOLD,)), Denial(stop, (Why.HOLD,)),
    )  # fmt: skip
    refused = judge(HOLDING, [beyond, asked(Kind.MODE)], Meter(HOLDING), 0.0)
    assert (len(refused.denials), refused.held, refused.using) == (1, (), ())


def test_a_rate_of_what_is_held_counts_as_any_other() -> None:
    profile = Profile("slow", hold=(Clause((Kind.STOP,), rate=Rate(1, 600)),))
    meter, stop = Meter(profile), asked(Kind.STOP)
    first = judge(profile, [stop], meter, 0.0)
    assert first.held
    meter.count(first, 0.0)
    assert judge(profile, [stop], meter, 1.0).denials[0].reasons == (Why.RATE,)


def test_a_profile_that_holds_nothing_is_the_same_bytes_as_before_and_one_that_holds_is_read_back() -> None:
    assert b"hold" not in encode_profile(ENGINEER)
    assert decode_profile(encode_profile(HOLDING)) == HOLDING
