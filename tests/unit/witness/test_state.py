# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from portineria.ledger.checkpoint import read_checkpoint
from portineria.ledger.note import BadNote, parse_note
from portineria.ledger.witness import Evidence, cosignature_in, read_answer, read_request
from portineria.witness.drop import NoDrop, answer_all, answers_in, names_in, read_plain, write_whole
from portineria.witness.state import FILE, AlreadyInitialised, NotInitialised, WitnessState, initialise
from tests.unit.witness.history import FORGED, HONEST, ORIGIN, TRUSTED, History

NOW = 1_800_000_000


@pytest.fixture
def state(tmp_path: Path) -> WitnessState:
    state = initialise(tmp_path / "w", "witness.example/w1")
    state.trust(ORIGIN, TRUSTED[0], NOW)
    return state


def test_a_witness_keeps_its_key_where_only_its_owner_reads(state: WitnessState, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "w" / FILE).stat().st_mode) == 0o600
    assert WitnessState(tmp_path / "w").key == state.key
    with pytest.raises(AlreadyInitialised):
        initialise(tmp_path / "w", "witness.example/w1")
    with pytest.raises(BadNote):
        initialise(tmp_path / "x", "two words")
    with pytest.raises(BadNote):
        state.trust(ORIGIN, state.key, NOW)


def test_what_was_cosigned_is_remembered_by_the_next_process(state: WitnessState, tmp_path: Path) -> None:
    first = state.answer(HONEST.request(0, 8), NOW)
    note = read_request(HONEST.request(0, 8)).note
    assert cosignature_in(first.body, note, state.key)[1] == NOW
    again = WitnessState(tmp_path / "w")
    assert again.answer(HONEST.request(0, 20), NOW).body == "8\n"
    assert again.answer(HONEST.request(8, 20), NOW + 1).status == 200
    assert again.answer(HONEST.request(20, 20), NOW + 2).status == 200
    [watched] = again.watched()
    assert (watched.size, watched.at) == (20, NOW + 1)
    assert read_checkpoint(watched.note)[1].root == HONEST.root(20)


def test_a_second_history_is_kept_as_evidence(state: WitnessState) -> None:
    state.answer(HONEST.request(0, 8), NOW)
    state.answer(HONEST.request(8, 20), NOW)
    assert state.caught() == []
    assert state.answer(FORGED.request(20, 40), NOW).status == 422
    assert state.answer(FORGED.request(20, 20), NOW).status == 409
    assert state.answer(FORGED.request(0, 8), NOW).status == 409
    assert state.answer(FORGED.request(0, 8), NOW).status == 409
    caught = state.caught()
    assert [(one.kind, one.size) for one in caught] == [
        (Evidence.CONTRADICTION, 8), (Evidence.CONTRADICTION, 20), (Evidence.UNPROVEN, 40),
    ]  # fmt: skip
    assert parse_note(caught[1].note).text == read_request(FORGED.request(20, 20)).note.text


def test_a_wrong_proof_is_forgiven_when_the_right_one_follows(state: WitnessState) -> None:
    state.answer(HONEST.request(0, 8), NOW)
    broken = HONEST.request(8, 20).replace(b"\n", b"\n" + b"A" * 43 + b"=\n", 1)
    assert state.answer(broken, NOW).status == 422
    assert [one.kind for one in state.caught()] == [Evidence.UNPROVEN]
    assert state.answer(HONEST.request(8, 20), NOW).status == 200
    assert state.caught() == []


def test_without_its_memory_a_witness_signs_nothing(state: WitnessState, tmp_path: Path) -> None:
    file = tmp_path / "w" / FILE
    file.unlink()
    with pytest.raises(NotInitialised):
        state.answer(HONEST.request(0, 8), NOW)
    with pytest.raises(NotInitialised):
        WitnessState(tmp_path / "w")
    file.touch()
    with pytest.raises(NotInitialised):
        WitnessState(tmp_path / "w")
    file.write_bytes(b"nonsense" * 1000)
    with pytest.raises(NotInitialised):
        WitnessState(tmp_path / "w")


def test_several_at_once_cosign_one_history(state: WitnessState, tmp_path: Path) -> None:
    state.answer(HONEST.request(0, 4), NOW)
    rivals, together, given = [HONEST, *(History(20, fork=n) for n in range(5, 12))], threading.Barrier(8), []

    def ask(history: History) -> None:
        mine = WitnessState(tmp_path / "w")
        together.wait(10)
        given.append((mine.answer(history.request(4, 20), NOW).status, history.root(20)))

    threads = [threading.Thread(target=ask, args=(rival,)) for rival in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(status for status, _ in given) == [200, *[409] * 7]
    with sqlite3.connect(tmp_path / "w" / FILE) as database:
        kept = database.execute("SELECT root FROM cosigned WHERE size = 20").fetchall()
    assert kept == [(root,) for status, root in given if status == 200]
    assert len(state.caught()) == 7


def test_requests_in_a_folder_are_answered_once(state: WitnessState, tmp_path: Path) -> None:
    from portineria.ledger.witness import request_name, stem_of

    drop = tmp_path / "stick"
    drop.mkdir()
    for old, size in ((0, 8), (8, 20)):
        write_whole(drop / request_name(ORIGIN, old, size), HONEST.request(old, size))
    (drop / request_name("other", 0, 1)).symlink_to(tmp_path / "w" / FILE)
    (drop / "readme.txt").write_text("not ours")
    done = answer_all(drop, state.key.key_id, lambda data: state.answer(data, NOW))
    assert [answer.status for _, answer in done] == [200, 200]
    assert answer_all(drop, state.key.key_id, lambda data: state.answer(data, NOW)) == []
    answers = list(answers_in(drop, state.key.key_id, stem_of(ORIGIN)))
    assert [(size, read_answer(data).status) for _, size, data in answers] == [(8, 200), (20, 200)]
    assert list(answers_in(drop, bytes(4), stem_of(ORIGIN))) == []
    assert read_plain(drop, 10) is None
    with pytest.raises(NoDrop):
        names_in(tmp_path / "away")
