# SPDX-License-Identifier: Apache-2.0
"""What holds for every protocol of the catalogue, and whether its figures are those of the captures."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from portineria.protocols.catalogue import ALL
from portineria.protocols.inspection import ProtocolInfo
from tests.architecture.test_documents import missing_tests
from tests.corpus import corpus_file
from tests.unit.protocols import golden

FIGURES = Path(__file__).resolve().parents[2] / "corpus/figures"
each_protocol = pytest.mark.parametrize("info", ALL, ids=lambda info: info.name)


def test_names_are_those_of_the_packages_and_no_two_are_alike() -> None:
    assert len({info.name for info in ALL}) == len(ALL)
    for info in ALL:
        assert importlib.import_module(f"portineria.protocols.{info.name}").INFO is info


@each_protocol
def test_each_function_has_one_kind_and_its_clause(info: ProtocolInfo) -> None:
    assert info.functions
    assert all(each.name and each.code and each.clause for each in info.functions)
    assert len({(each.name, each.code) for each in info.functions}) == len(info.functions)
    assert len({each.name: each.kind for each in info.functions}) == len({(e.name, e.kind) for e in info.functions})


@each_protocol
def test_nothing_is_recognised_in_nothing(info: ProtocolInfo) -> None:
    assert not any(info.recognise(beginning) for beginning in (b"", b"\0", b"\0" * 8, b"\xff" * 64))


@each_protocol
def test_each_proof_is_a_test(info: ProtocolInfo) -> None:
    figures = json.loads((FIGURES / f"{info.name}.json").read_text())
    assert [missing_tests(place) for place in figures["proofs"].values()] == [[], [], []]


@each_protocol
def test_the_figures_are_those_of_the_captures(info: ProtocolInfo) -> None:
    figures = json.loads((FIGURES / f"{info.name}.json").read_text())
    theirs = importlib.import_module(f"tests.unit.protocols.{info.name}.figures")
    assert set(figures["captures"]) == set(theirs.CAPTURES)
    assert figures["proofs"] == theirs.PROOFS
    assert figures["zeek"] == golden.measure(info.name, corpus_file(""))
    for capture, why in theirs.CAPTURES.items():
        assert figures["captures"][capture] == {**theirs.measure(corpus_file(capture)), "why": why}
