# SPDX-License-Identifier: Apache-2.0
"""WIRE 18 and 19: events are stored once, in order, or not acknowledged; a second gateway is noticed."""

from __future__ import annotations

import copy
import secrets

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import DatabaseError, transaction

from portineria.control.audit.queries import events, views
from portineria.control.audit.verification import verify_chain
from portineria.control.estate.models import Gateway
from portineria.control.remote_sessions.models import GatewayReport
from portineria.control.remote_sessions.reports import Answer, receive
from portineria.core.errors import NotFound
from portineria.wire.certificate import spki
from portineria.wire.report import Event, Question, Report, read_context
from portineria.wire.statement import Acknowledgement, Leases, Time, sha256
from tests.integration.control.engine import refused_rows
from tests.integration.control.world import GatewayEnd, World, admitted_gateway

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address


def hear(end: GatewayEnd, *sealed: bytes) -> Answer:
    return receive(end.id, list(sealed))


def acknowledged(answer: Answer) -> list[tuple[int, bytes]]:
    return [(letter.up_to_seq, letter.sha256) for letter in answer.letters if isinstance(letter, Acknowledgement)]


def state(end: GatewayEnd) -> str:
    return Gateway.objects.get(public_id=end.id).state


def codes(world: World) -> list[str]:
    return [event.code for event in events(world.owner, gateway=world.gateway.id).order_by("seq")]


def test_events_in_order_are_stored_and_acknowledged_with_the_hash_of_the_last(world: World) -> None:
    end = world.gateway
    batch = [end.say("gateway.started", version="0.1"), end.say("gateway.time.set", step_ms=3)]
    assert acknowledged(hear(end, *batch)) == [(2, end.prev)]
    stored = views(events(world.owner, code="gateway."))
    assert {view.code for view in stored} == {"gateway.started", "gateway.time.set"}
    assert {view.actor for view in stored} == {end.id}
    assert verify_chain(world.organisation) > 0


def test_a_repetition_is_acknowledged_again_and_stored_once(world: World) -> None:
    end = world.gateway
    report = end.say("gateway.started")
    first, again = hear(end, report), hear(end, report)
    assert acknowledged(first) == acknowledged(again) == [(1, end.prev)]
    assert GatewayReport.objects.count() == 1
    assert state(end) == "admitted"


def test_nothing_behind_a_gap_is_acknowledged(world: World) -> None:
    end = world.gateway
    first = end.say("gateway.started")
    prev = end.prev
    lost, third = end.say("lease.lost"), end.say("gateway.stopped")
    assert acknowledged(hear(end, first, third)) == [(1, prev)]
    assert acknowledged(hear(end, lost, third)) == [(3, end.prev)]


def test_a_first_event_that_is_not_number_one_is_a_gap(world: World) -> None:
    end = world.gateway
    end.say("gateway.started")
    assert hear(end, end.say("gateway.stopped")).letters == []
    assert not GatewayReport.objects.exists()


def test_a_first_event_that_follows_another_is_a_gap_and_no_fork(world: World) -> None:
    end = world.gateway
    end.prev = sha256(b"an event that a relay keeps back")
    assert not hear(end, end.say("gateway.started")).quarantined
    assert (state(end), GatewayReport.objects.count()) == ("admitted", 0)


def test_another_event_of_the_same_number_is_a_fork_and_locks_the_gateway(world: World) -> None:
    end = world.gateway
    twin = copy.copy(end)
    hear(end, end.say("gateway.started"))
    assert hear(twin, twin.say("gateway.started", version="evil")).quarantined
    assert state(end) == "quarantined"
    assert codes(world)[-2:] == ["estate.gateway.forked", "estate.gateway.quarantined"]
    with pytest.raises(NotFound):
        hear(end, end.say("gateway.stopped"))


def test_a_chain_that_does_not_follow_is_a_fork(world: World) -> None:
    end = world.gateway
    hear(end, end.say("gateway.started"))
    end.prev = sha256(b"another past")
    assert hear(end, end.say("gateway.stopped")).quarantined


def test_a_restored_snapshot_is_a_fork(world: World) -> None:
    end = world.gateway
    snapshot = copy.copy(end)
    hear(end, end.say("gateway.started"), end.say("order.accepted"), end.say("gateway.stopped"))
    assert hear(snapshot, snapshot.say("gateway.started", version="restored")).quarantined


def forgotten(end: GatewayEnd, *reports: bytes) -> None:
    """Acknowledged, and then gone: the database was put back from a backup."""
    with transaction.atomic():
        assert acknowledged(hear(end, *reports))
        transaction.set_rollback(True)


@pytest.mark.parametrize("before", [0, 2])
def test_behind_events_that_a_backup_had_not_the_next_are_taken_and_the_loss_is_told(world: World, before: int) -> None:
    """``before``: how many of them the backup had; 0 is a spool that began after it."""
    end = world.gateway
    hear(end, *[end.say("gateway.started") for _ in range(before)])
    forgotten(end, *[end.say("lease.lost") for _ in range(3)])
    assert hear(end, following := end.say("gateway.stopped")).letters == []  # a gap, until it says that they are gone
    assert len(hear(end, end.ask(acknowledged=before + 3)).letters) >= 2
    assert acknowledged(hear(end, following)) == [(before + 4, end.prev)]
    assert acknowledged(hear(end, end.say("gateway.started"))) == [(before + 5, end.prev)]
    lost = next(view for view in views(events(world.owner)) if view.code == "estate.gateway.events-lost")
    assert (lost.fields["first"], lost.fields["last"]) == (before + 1, before + 3)
    hear(end, end.ask(acknowledged=before + 5))
    assert codes(world).count("estate.gateway.events-lost") == 1


def test_what_a_gateway_still_has_is_waited_for(world: World) -> None:
    end = world.gateway
    hear(end, end.say("gateway.started"))
    lost, last = end.say("lease.lost"), end.say("gateway.stopped")
    hear(end, end.ask(acknowledged=1), last)
    assert acknowledged(hear(end, lost, last)) == [(3, end.prev)]
    assert "estate.gateway.events-lost" not in codes(world)


def test_behind_lost_events_the_chain_is_one_again(world: World) -> None:
    end = world.gateway
    forgotten(end, end.say("gateway.started"))
    hear(end, end.ask(acknowledged=1), end.say("lease.lost"))
    end.prev = sha256(b"another past")
    assert hear(end, end.say("gateway.stopped")).quarantined


def test_a_new_spool_is_noted_and_two_that_take_turns_are_a_fork(world: World) -> None:
    end = world.gateway
    wiped = copy.copy(end)
    wiped.epoch = secrets.token_bytes(32)
    wiped.ahead_s = 100
    hear(end, end.say("gateway.started"))
    assert not hear(wiped, wiped.say("gateway.started")).quarantined
    assert "estate.gateway.epoch-changed" in codes(world)
    end.ahead_s = 200
    assert hear(end, end.say("gateway.stopped")).quarantined


def test_what_the_relay_kept_from_an_older_spool_does_no_harm(world: World) -> None:
    end = world.gateway
    old = end.say("gateway.started")
    hear(end, old)
    wiped = copy.copy(end)
    wiped.epoch, wiped.seq, wiped.prev = secrets.token_bytes(32), 0, bytes(32)
    hear(wiped, wiped.say("gateway.started"))
    assert not hear(wiped, old).quarantined
    assert state(end) == "admitted"


# -- questions --------------------------------------------------------------------------------------------------


def test_a_question_is_answered_with_its_own_nonce(world: World) -> None:
    nonce = secrets.token_bytes(32)
    time, leases = hear(world.gateway, world.gateway.ask(nonce=nonce)).letters
    assert isinstance(time, Time)
    assert isinstance(leases, Leases)
    assert time.nonce == leases.nonce == nonce
    assert leases.leases == []


def test_two_starts_that_speak_in_turn_are_a_clone(world: World) -> None:
    first, second = world.gateway, copy.copy(world.gateway)
    second.boot = secrets.token_bytes(32)
    told(first, hear(first, first.ask()))
    told(second, hear(second, second.ask()))
    told(first, hear(first, first.ask()))  # that one may have been under way when it restarted
    told(second, hear(second, second.ask()))
    assert hear(first, first.ask()).quarantined
    assert codes(world)[-2:] == ["estate.gateway.cloned", "estate.gateway.quarantined"]


def test_a_restart_is_no_clone(world: World) -> None:
    end = world.gateway
    for _ in range(5):
        end.boot = secrets.token_bytes(32)
        assert hear(end, end.ask()).letters
    assert state(end) == "admitted"


def test_a_relay_that_repeats_old_questions_cannot_have_the_gateway_locked(world: World) -> None:
    end = world.gateway
    old = [end.ask() for _ in range(5)]
    hear(end, *old)
    end.boot = secrets.token_bytes(32)
    hear(end, end.ask())
    for _ in range(3):
        assert hear(end, *old).letters == []
    assert state(end) == "admitted"


def told(end: GatewayEnd, answer: Answer) -> None:
    """The gateway believes the time it was answered with."""
    [time] = [letter for letter in answer.letters if isinstance(letter, Time)]
    end.heard_ms = time.unix_ms


def test_questions_that_a_relay_kept_back_over_a_restart_are_no_clone(world: World) -> None:
    end = world.gateway
    told(end, hear(end, end.ask()))
    kept = [end.ask() for _ in range(5)]
    end.boot = secrets.token_bytes(32)
    told(end, hear(end, end.ask()))
    for question in kept:
        assert not hear(end, question).quarantined
    assert hear(end, end.ask()).letters
    assert state(end) == "admitted"


def test_events_that_a_relay_kept_back_over_a_new_spool_are_stored_late(world: World) -> None:
    end = world.gateway
    hear(end, end.say("gateway.started"))
    kept = [end.say("lease.lost"), end.say("gateway.stopped")]
    last = end.prev
    end.epoch, end.seq, end.prev, end.ahead_s = secrets.token_bytes(32), 0, bytes(32), 100
    hear(end, end.say("gateway.started"))
    assert acknowledged(hear(end, *kept)) == [(2 + 1, last)]
    assert codes(world)[-2:] == ["lease.lost", "gateway.stopped"]
    assert acknowledged(hear(end, end.say("gateway.stopped"))) == [(2, end.prev)]
    assert state(end) == "admitted"


def test_a_whole_spool_that_a_relay_kept_back_is_no_fork_of_the_next(world: World) -> None:
    end = world.gateway
    kept = [end.say("gateway.started"), end.say("gateway.stopped")]
    end.epoch, end.seq, end.prev, end.ahead_s = secrets.token_bytes(32), 0, bytes(32), 100
    hear(end, end.say("gateway.started"))
    hear(end, *kept)
    end.ahead_s = 500
    assert acknowledged(hear(end, end.say("gateway.stopped"))) == [(2, end.prev)]
    assert state(end) == "admitted"


def test_another_past_of_an_older_spool_is_a_fork_all_the_same(world: World) -> None:
    end = world.gateway
    hear(end, end.say("gateway.started"))
    old = copy.copy(end)
    end.epoch, end.seq, end.prev = secrets.token_bytes(32), 0, bytes(32)
    hear(end, end.say("gateway.started"))
    old.prev = sha256(b"another past")
    assert hear(old, old.say("gateway.stopped")).quarantined


# -- hostile bytes ----------------------------------------------------------------------------------------------


def test_reports_of_another_gateway_are_not_taken_on_this_link(world: World) -> None:
    other = admitted_gateway(world.owner, world.plant)
    report = other.say("gateway.started")
    assert hear(world.gateway, report).letters == []
    assert acknowledged(hear(other, report)) == [(1, other.prev)]


def test_a_gateway_speaks_in_its_own_name_only(world: World) -> None:
    pretender = copy.copy(world.gateway)
    pretender.id = admitted_gateway(world.owner, world.plant).id
    assert hear(world.gateway, pretender.say("gateway.started")).letters == []
    assert not GatewayReport.objects.exists()


def test_a_numbered_question_and_an_event_without_a_number_are_dropped(world: World) -> None:
    end = world.gateway
    question = Question(end.boot, secrets.token_bytes(32), [], "0.1")
    event = Event(end.boot, 0, 1, "gateway.started", "", {})
    for body, seq in ((question, 1), (event, 0)):
        report, _ = end.write(body, end.context(seq, bytes(32)))
        assert hear(end, report).letters == []
    assert not GatewayReport.objects.exists()
    assert acknowledged(hear(end, end.say("gateway.started"))) == [(1, end.prev)]  # the chain is where it was


@pytest.mark.parametrize("position", [0, 5, 40, 120, -1])
def test_an_altered_report_is_dropped_and_the_true_one_behind_it_is_taken(world: World, position: int) -> None:
    end = world.gateway
    good = end.say("gateway.started")
    bad = bytearray(good)
    bad[position] ^= 1
    assert hear(end, bytes(bad)).letters == []
    assert acknowledged(hear(end, bytes(bad), good)) == [(1, end.prev)]


def test_events_signed_by_another_key_are_dropped(world: World) -> None:
    end = world.gateway
    thief = GatewayEnd(id=end.id, trust=end.trust)
    assert hear(end, thief.say("gateway.started")).letters == []


def test_a_seal_put_around_another_context_does_not_open(world: World) -> None:
    end = world.gateway
    report = end.say("gateway.started")
    _, outer = read_context(report)
    moved = Report(outer.context.replace(end.epoch, secrets.token_bytes(32)), outer.sealed)
    assert hear(end, msgspec.msgpack.encode(moved)).letters == []


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"\x92\xa0\xa0", b"\x90" * 5000, b"\xff" * 9000])
def test_garbage_is_dropped(world: World, garbage: bytes) -> None:
    assert hear(world.gateway, garbage).letters == []


def test_unknown_codes_and_fields_are_kept_in_the_signed_bytes(world: World) -> None:
    end = world.gateway
    hear(end, end.say("gateway.dreamt", colour="blue"), end.say("gateway.started", version="9", mood="good"))
    other, started = views(events(world.owner, code="gateway.").order_by("seq"))
    assert (other.code, other.fields["code"]) == ("gateway.other", "gateway.dreamt")
    assert started.fields["version"] == "9"
    assert "mood" not in started.fields
    assert b"blue" in bytes(GatewayReport.objects.get(seq=1).signed)


def test_a_gateway_cannot_speak_about_sessions_that_are_not_its_own(world: World) -> None:
    from portineria.control.remote_sessions.models import Session
    from portineria.control.remote_sessions.services import start_session

    world.link()
    world.grant()
    key = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    session = start_session(actor=world.technician, machine="Press 3", key=key, address="").session
    other = admitted_gateway(world.owner, world.plant)
    hear(other, other.say("session.ended", session.public_id, ending="cut", reason="lie"))
    assert Session.objects.get(pk=session.pk).state == "opening"


def test_nothing_is_acknowledged_that_could_not_be_committed(world: World) -> None:
    end = world.gateway
    first, second = end.say("gateway.started"), end.say("gateway.stopped")
    with refused_rows("remote_sessions_gatewayreport", "NEW.seq = 2"):
        with pytest.raises(DatabaseError, match=r"full|No space left"):
            hear(end, first, second)
        assert not GatewayReport.objects.exists()
    assert acknowledged(hear(end, first, second)) == [(2, end.prev)]
