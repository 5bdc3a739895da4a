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
from portineria.protocols.operation import Kind, Operation, Target


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


@pytest.mark.parametrize("protocol", HARMLESS)
def test_what_is_called_harmless_is_a_diagnostic_that_its_decoder_knows(protocol: str) -> None:
    [info] = [info for info in ALL if info.name == protocol]
    diagnostics = {function.name for function in info.functions if function.kind is Kind.DIAGNOSTIC}
    assert set(HARMLESS[protocol]) < diagnostics
    harmless, other = HARMLESS[protocol][0], sorted(diagnostics - set(HARMLESS[protocol]))[0]
    for function, passes in ((harmless, True), (other, False)):
        operation = Operation(protocol, function, "", Kind.DIAGNOSTIC)
        assert (not judge(OBSERVE, [operation], Meter(OBSERVE), 0).denials) == passes


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


@st.composite
def narrowed(draw: st.DrawFn, wide: Profile) -> Profile:
    """The same with a clause less, or one more limit in one of its clauses."""
    if not wide.clauses:
        return wide
    which = draw(st.integers(0, len(wide.clauses) - 1))
    clause = wide.clauses[which]
    change: dict[str, object] = {
        "kinds": clause.kinds[:1] or (draw(kinds.filter(lambda kind: kind is not Kind.UNKNOWN)),),
        "functions": clause.functions[:1] or (draw(words),),
        "protocol": "modbus",
        "targets": clause.targets[:1] or (draw(places),),
        "routes": clause.routes[:1],
        "low": draw(st.integers(-3, 3)) if clause.low is None else clause.low + 1,
        "high": draw(st.integers(-3, 3)) if clause.high is None else clause.high - 1,
        "rate": Rate(1, 1),
    }
    field = draw(st.sampled_from([*change, "clause"]))
    rest = list(wide.clauses)
    rest[which : which + 1] = [] if field == "clause" else [msgspec.structs.replace(clause, **{field: change[field]})]
    return Profile("narrow", tuple(rest))


@given(st.data(), profiles, bundles)
def test_adding_a_limit_never_admits_more(data: st.DataObject, wide: Profile, bundle: list[Operation]) -> None:
    narrow = data.draw(narrowed(wide))
    if admits(narrow, bundle):
        assert admits(wide, bundle)


@given(profiles, clauses, bundles)
def test_what_a_profile_admits_it_admits_with_one_clause_more(
    profile: Profile, more: Clause, bundle: list[Operation]
) -> None:
    if len(bundle) == 1 and admits(profile, bundle):
        assert admits(Profile("more", (*profile.clauses, more)), bundle)


@given(operations)
def test_each_built_in_profile_admits_what_the_one_before_it_does(operation: Operation) -> None:
    order = [OBSERVE, operate("o", [SPEEDS]), ENGINEER, FIRMWARE]
    admitted = [admits(profile, [operation]) for profile in order]
    assert admitted == sorted(admitted)


@given(profiles, bundles)
def test_whatever_is_refused_has_a_reason(profile: Profile, bundle: list[Operation]) -> None:
    for denial in judge(profile, bundle, Meter(profile), 0.0).denials:
        assert denial.reasons
        assert denial.operation in bundle


@given(profiles)
def test_a_profile_survives_its_encoding_and_always_has_the_same_bytes(profile: Profile) -> None:
    encoded = encode_profile(profile)
    assert decode_profile(encoded) == profile
    assert encode_profile(decode_profile(encoded)) == encoded


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
    large = Profile("large", (Clause(targets=tuple(Place("tag", name="x" * 256) for _ in range(64))),) * 2)
    with pytest.raises(BadProfile):
        encode_profile(large)
    with pytest.raises(BadProfile):
        decode_profile(b"\x80" + bytes(PROFILE_BYTES))


def test_the_built_in_profiles_are_found_by_their_names() -> None:
    assert list(BUILT_IN) == ["observe", "engineer", "firmware", "trial"]
    assert BUILT_IN["trial"].notes_only
    assert BUILT_IN["trial"].clauses == OBSERVING


# -- what is held ---------------------------------------------------------------------------------------------------

HOLDING = Profile("holding", (*OBSERVING, SPEEDS), hold=(Clause((Kind.WRITE, Kind.STOP)),))


def test_only_what_no_clause_admits_and_one_that_holds_does_is_held() -> None:
    within, beyond = asked(targets=(SPEED,), values=(180,)), asked(targets=(SPEED,), values=(999,))
    assert judge(HOLDING, [within], Meter(HOLDING), 0.0).held == ()
    assert [denial.operation for denial in judge(HOLDING, [within, beyond], Meter(HOLDING), 0.0).held] == [beyond]
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


@given(profiles, clauses, bundles)
def test_a_hold_never_admits_more_than_the_same_clause_among_those_that_allow(
    profile: Profile, clause: Clause, asked_for: list[Operation]
) -> None:
    holding = msgspec.structs.replace(profile, hold=(clause,))
    allowing = msgspec.structs.replace(profile, clauses=(*profile.clauses, clause))
    held = judge(holding, asked_for, Meter(holding), 0.0)
    assert held.denials == judge(allowing, asked_for, Meter(allowing), 0.0).denials
    assert bool(held.held) <= bool(judge(profile, asked_for, Meter(profile), 0.0).denials)
