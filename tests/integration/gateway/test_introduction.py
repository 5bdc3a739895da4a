# SPDX-License-Identifier: Apache-2.0
"""Without a code, what the gateway pins is proven by the root's fingerprint alone, whoever is in between (WIRE 5)."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portineria.dataplane.gateway.http import b64, unb64
from portineria.dataplane.gateway.state import State
from portineria.wire.certificate import fingerprint, spki_sha256
from portineria.wire.enrolment import TRUST, Trust
from portineria.wire.statement import OpeningKey, RelayAddress
from tests.integration.authority import Authority
from tests.integration.gateway.console import Console, introduction
from tests.integration.gateway.test_enrol import gateway

PLANT = "pla_aaaaaaaaaaaaaaaa"
Answer = dict[str, Any]


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with Console(Authority(tmp_path / "authority")) as opened:
        yield opened


def root_of(console: Console) -> str:
    return fingerprint(spki_sha256(console.authority.root_key.public_key()))


def introduce(console: Console, state: Path, root: str | None = None) -> "subprocess.CompletedProcess[str]":
    arguments = ("--plant", PLANT, "--root-fingerprint", root or root_of(console), "--no-wait", "--proxy", "none")
    return gateway("enrol", console.url, *arguments, state=state)


def test_it_pins_the_root_that_was_typed(console: Console, tmp_path: Path) -> None:
    done = introduce(console, tmp_path / "gateway")
    assert done.returncode == 0, done.stderr
    state = State(tmp_path / "gateway")
    assert fingerprint(state.load_pinned().root_spki_sha256) == root_of(console)
    assert fingerprint(spki_sha256(state.load_keys().tls.public_key())) in done.stdout


def test_a_code_may_come_with_the_fingerprint_too(console: Console, tmp_path: Path) -> None:
    wrong = gateway(
        "enrol", console.url, console.offer(), "--root-fingerprint", "00" * 32, "--no-wait", state=tmp_path / "gateway"
    )
    assert wrong.returncode == 1
    assert not State(tmp_path / "gateway").enrolled
    right = gateway(
        "enrol", console.url, console.offer(), "--root-fingerprint", root_of(console).upper(), "--no-wait",
        state=tmp_path / "gateway",
    )  # fmt: skip
    assert right.returncode == 0, right.stderr


def altered(change: Callable[[Trust], Trust]) -> Callable[[Console, Answer], Answer]:
    def alter(_console: Console, answer: Answer) -> Answer:
        return {**answer, "trust": b64(TRUST.encode(change(TRUST.decode(unb64(answer, "trust")))))}

    return alter


def all_of_another_server(console: Console, answer: Answer) -> Answer:
    """Whoever is in between has a root of his own, and everything signed under it."""
    rival = Authority(console.authority.directory / "rival")
    trust = TRUST.encode(rival.trust(answer["gateway"]))
    request = unb64(console.asked[-1], "request")
    return {
        **answer,
        "trust": b64(trust),
        "introduction": introduction(rival, answer["gateway"], request, trust),
    }


def for_another_request(console: Console, answer: Answer) -> Answer:
    trust = unb64(answer, "trust")
    return {**answer, "introduction": introduction(console.authority, answer["gateway"], b"another", trust)}


def signed_for_tickets(console: Console, answer: Answer) -> Answer:
    request, trust = unb64(console.asked[-1], "request"), unb64(answer, "trust")
    return {**answer, "introduction": introduction(console.authority, answer["gateway"], request, trust, role="ticket")}


def without_a_signature(_console: Console, answer: Answer) -> Answer:
    return {name: value for name, value in answer.items() if name != "introduction"}


def signed_by_a_stranger(console: Console, answer: Answer) -> Answer:
    rival = Authority(console.authority.directory / "rival")
    rival.signer_ids = dict(console.authority.signer_ids)
    request, trust = unb64(console.asked[-1], "request"), unb64(answer, "trust")
    return {**answer, "introduction": introduction(rival, answer["gateway"], request, trust)}


IN_BETWEEN: dict[str, Callable[[Console, Answer], Answer]] = {
    "another server": all_of_another_server,
    "another request": for_another_request,
    "a signer of tickets": signed_for_tickets,
    "no signature": without_a_signature,
    "a stranger": signed_by_a_stranger,
    "the key that events are sealed to": altered(
        lambda trust: msgspec.structs.replace(trust, opening_keys=[OpeningKey("key_1", bytes(32))])
    ),
    "the relays": altered(
        lambda trust: msgspec.structs.replace(trust, relays=[RelayAddress("rel_aaaaaaaaaaaaaaaa", "192.0.2.1", 443)])
    ),
    "where to renew": altered(lambda trust: msgspec.structs.replace(trust, renew_url="http://192.0.2.1")),
}


@pytest.mark.parametrize("change", IN_BETWEEN.values(), ids=IN_BETWEEN)
def test_whoever_changes_the_answer_on_its_way_is_found_out(
    console: Console, tmp_path: Path, change: Callable[[Console, Answer], Answer]
) -> None:
    console.tamper = lambda answer: change(console, answer)
    done = introduce(console, tmp_path / "gateway")
    assert done.returncode == 1, done.stdout
    assert not State(tmp_path / "gateway").enrolled


def test_a_root_that_was_mistyped_pins_nothing(console: Console, tmp_path: Path) -> None:
    done = introduce(console, tmp_path / "gateway", root="ab" * 32)
    assert done.returncode == 1
    assert "not the one you gave" in done.stderr
    assert not State(tmp_path / "gateway").enrolled
