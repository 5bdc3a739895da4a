# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from portineria.core.event_meaning import OF_OPERATIONS
from portineria.sinks.ocsf.message import document, message
from tests.corpus import corpus_file
from tests.unit.sinks.events import of_every_code, outgoing
from tests.unit.sinks.ocsf_schema import Schema


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(corpus_file("soc/ocsf-1.9.0-dev"))


def test_every_event_fits_the_schema(schema: Schema) -> None:
    events = of_every_code()
    events += [outgoing("operation.refused", 900, protocol="modbus", operation=kind) for kind in OF_OPERATIONS]
    events.append(outgoing("stream.opened", 901, address="192.0.2.7", port=502, service="srv_a"))
    classes = set()
    for event in events:
        written: dict[str, Any] = json.loads(message(event))
        assert schema.faults(written) == [], event.code
        classes.add(written["class_uid"])
    assert classes == {0, 3002, 4001}


def test_what_does_not_fit_is_found(schema: Schema) -> None:
    good = document(outgoing("operation.refused", protocol="modbus", operation="write"))
    changes: tuple[dict[str, Any], ...] = (
        {"colour": "red"}, {"activity_id": 77}, {"time": "now"}, {"dst_endpoint": {}}, {"severity_id": 9},
        {"attacks": [{"technique": {"uid": "T0843", "shade": "x"}}]}, {"ot_operation": {"ot_colour": "red"}},
    )  # fmt: skip
    for change in changes:
        assert schema.faults({**good, **change}), change
    assert schema.faults({name: value for name, value in good.items() if name != "type_uid"})


def test_our_extension_takes_no_name_of_the_core(schema: Schema) -> None:
    assert schema.core.keys() & schema.own.keys() == set()
