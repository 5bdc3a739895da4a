# SPDX-License-Identifier: Apache-2.0
"""Whatever comes from outside fits the columns of PostgreSQL, or is refused by whoever reads it: never by the database.

An event that the database refused would block its gateway's chain for ever.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from django.apps import apps
from django.db import DataError, IntegrityError, models, transaction
from django.test import Client

from portineria.bus.message import TO_CONTROL, ToControl
from portineria.control.api import api
from portineria.control.audit.models import Event as LedgerEvent
from portineria.control.estate.models import Gateway
from portineria.control.identity.api import Asked
from portineria.control.remote_sessions.models import GatewayReport, Session, Stream
from portineria.control.remote_sessions.reports import receive
from portineria.core.errors import ProtocolError
from portineria.core.event import CATALOGUE, REPORTED_BY_GATEWAYS
from portineria.wire.report import StreamTraffic
from tests.integration.control.browsing import signed_in
from tests.integration.control.postgres import _MOST, fault, our_fields, rows_it_would_refuse, watched
from tests.integration.control.sessions import accepted, again, report, started
from tests.integration.control.test_every_address import NOWHERE, PAGES, PLACE, Things, filled
from tests.integration.control.world import ConnectorEnd, World, post

pytestmark = pytest.mark.sqlite  # what PostgreSQL would refuse is watched here
NUL = "a\x00b"
EXTREMES: dict[str, str | int | bool] = {
    "with U+0000": NUL,
    "nothing but U+0000": "\x00",
    "long": "é" * 200,
    "lines": "a\nb\r\x1b[2J",
    "negative": -(1 << 63),
    "one more than a port": 65536,
    "one more than 31 bits": 1 << 31,
    "the largest": (1 << 64) - 1,
    "true": True,
}
OWN = {"gateway", "session", "epoch", "gateway_seq", "report_sha256", "boot", "gateway_at_ms"}
INSIDE = "ses_\x00"


def said_of(code: str, value: str | int | bool) -> dict[str, str | int | bool]:
    return dict.fromkeys(sorted(CATALOGUE[code].keys() - OWN), value)


@pytest.mark.parametrize("code", sorted(REPORTED_BY_GATEWAYS))
def test_whatever_a_gateway_reports_is_taken_and_fits(linked: World, code: str) -> None:
    session = accepted(linked, started(linked))
    opened = report(linked, "stream.opened", session, stream="s1", service="x", address="192.0.2.1", port=502)
    before = GatewayReport.objects.count()
    with watched() as refused:
        for value in EXTREMES.values():
            receive(linked.gateway.id, [linked.gateway.say(code, opened.public_id, **said_of(code, value))])
        receive(linked.gateway.id, [linked.gateway.say(code, INSIDE, **said_of(code, "x"))])
        if code.startswith("stream."):  # of a stream that is there
            for value in EXTREMES.values():
                fields = said_of(code, value) | {"stream": "s1"}
                receive(linked.gateway.id, [linked.gateway.say(code, opened.public_id, **fields)])
    assert refused == []
    assert rows_it_would_refuse() == []
    taken = GatewayReport.objects.count() - before
    assert taken == 1 + len(EXTREMES) * (2 if code.startswith("stream.") else 1)


@pytest.mark.parametrize("value", EXTREMES.values(), ids=list(EXTREMES))
@pytest.mark.parametrize("code", ["session.ended", "order.refused"])
def test_whatever_the_last_word_about_a_session_says_fits(linked: World, code: str, value: str | int | bool) -> None:
    """Only the first of these has an effect, so each begins with a session of its own."""
    session = started(linked)
    said = said_of(code, value) | ({"order_seq": session.order_seq} if code == "order.refused" else {})
    with watched() as refused:
        assert report(linked, code, session, **said).state == "ended"
    assert refused == []
    assert rows_it_would_refuse() == []


def test_what_only_the_server_says_is_taken_from_a_gateway_as_something_unknown(linked: World) -> None:
    for code in sorted(CATALOGUE.keys() - REPORTED_BY_GATEWAYS):
        receive(linked.gateway.id, [linked.gateway.say(code, **said_of(code, "x"))])
        newest = LedgerEvent.objects.latest("pk")
        assert (newest.code, newest.actor) == ("gateway.other", linked.gateway.id), code


@pytest.mark.parametrize("port", [-1, 0, 65536, 1 << 31, (1 << 63) - 1, "502", True])
def test_a_port_that_is_none_is_not_kept(linked: World, port: int | str | bool) -> None:
    session = accepted(linked, started(linked))
    report(linked, "stream.opened", session, stream="s1", service="x", address="192.0.2.1", port=port)
    assert Stream.objects.get().port == (1 if port is True else None)
    Stream.objects.get().full_clean()


def test_the_database_itself_keeps_no_other_port(linked: World) -> None:
    session = accepted(linked, started(linked))
    report(linked, "stream.opened", session, stream="s1", service="x", address="192.0.2.1", port=65535)
    for port in (0, 65536):
        with pytest.raises(IntegrityError), transaction.atomic():
            Stream.objects.update(port=port)
    assert Stream.objects.get().port == 65535


def test_a_question_that_does_not_fit_is_refused_and_the_next_one_is_answered(linked: World) -> None:
    session, end = accepted(linked, started(linked)), linked.gateway
    with watched() as refused:
        for question in (
            end.ask(NUL),
            end.ask(session.public_id, signers=[NUL]),
            end.ask(session.public_id, traffic=[StreamTraffic(NUL, "s1", 1, 1)]),
        ):
            assert receive(end.id, [question]).letters == []
        assert receive(end.id, [end.ask(session.public_id)]).letters
    assert refused == []
    assert rows_it_would_refuse() == []


def test_a_stream_that_a_connector_gave_a_strange_name_costs_no_lease(linked: World) -> None:
    session, end = accepted(linked, started(linked)), linked.gateway
    traffic = [StreamTraffic(session.public_id, NUL, (1 << 64) - 1, 1)]
    with watched() as refused:
        assert receive(end.id, [end.ask(session.public_id, traffic=traffic)]).letters
    assert refused == []


@pytest.mark.parametrize("kind", msgspec.inspect.type_info(ToControl).types, ids=lambda kind: kind.tag)  # type: ignore[attr-defined]
def test_whatever_a_relay_says_of_itself_and_of_others_is_printable(kind: Any) -> None:
    good: dict[str, Any] = {"is": kind.tag}
    samples: dict[type, object] = {
        msgspec.inspect.StrType: "gw_a",
        msgspec.inspect.BytesType: bytes(32),
        msgspec.inspect.IntType: 1,
    }
    for field in kind.fields:
        listed = isinstance(field.type, msgspec.inspect.ListType)
        sample = samples[type(field.type.item_type if listed else field.type)]
        good[field.encode_name] = [sample] if listed else sample
    TO_CONTROL.decode(msgspec.msgpack.encode(good))
    for name, value in good.items():
        if name != "is" and value in ("gw_a", ["gw_a"]):
            for text in (NUL, "é", "x" * 65):
                with pytest.raises(ProtocolError):
                    TO_CONTROL.decode(
                        msgspec.msgpack.encode(good | {name: [text] if isinstance(value, list) else text})
                    )


def test_a_gateway_with_a_strange_version_is_refused_when_it_enrols(world: World) -> None:
    from portineria.control.estate import enrolment as admission
    from portineria.wire import enrolment

    code, _ = admission.offer_enrolment(actor=world.owner, plant=world.plant)
    asked = enrolment.REQUEST.decode(world.gateway.request())
    for changed in ({"version": NUL}, {"version": "v" * 33}, {"name": "n" * 65}):
        request = enrolment.REQUEST.encode(msgspec.structs.replace(asked, **changed))
        assert world.gateway.enrol(code, request=request).status_code == 422
    strange = enrolment.REQUEST.encode(msgspec.structs.replace(asked, name=NUL))
    _, secret = enrolment.split_code(code)
    with watched() as refused:
        world.gateway.enrol(code, request=strange, proof=enrolment.gateway_proof(secret, strange))
    assert refused == []
    assert rows_it_would_refuse() == []
    assert Gateway.objects.order_by("-pk")[0].name == "gateway"


# -- what programs send -------------------------------------------------------------------------------------------

SCHEMA = api.get_openapi_schema()
BODIES = sorted(
    (method, path, item["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2])
    for path, methods in SCHEMA["paths"].items()
    for method, item in methods.items()
    if "requestBody" in item
)


def properties(schema: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = SCHEMA["components"]["schemas"][schema]["properties"]
    return found


def test_every_body_is_read_by_what_refuses_u0000() -> None:
    readers = {kind.__name__ for kind in Asked.__subclasses__()}
    assert BODIES
    assert {schema for _, _, schema in BODIES} - readers == set()


@pytest.mark.parametrize("schema", sorted({schema for _, _, schema in BODIES}))
def test_every_text_and_number_of_a_body_has_an_end(schema: str) -> None:
    for name, told in properties(schema).items():
        for kind in told.get("anyOf", [told]):
            if kind.get("type") == "string" and kind.get("format") not in ("date", "date-time"):
                assert "maxLength" in kind, name
            if kind.get("type") == "integer":
                ends = {"minimum", "exclusiveMinimum"} & kind.keys(), {"maximum", "exclusiveMaximum"} & kind.keys()
                assert all(ends), name


@pytest.mark.parametrize(("method", "path", "schema"), BODIES, ids=[path for _, path, _ in BODIES])
def test_no_body_brings_more_than_fits(linked: World, method: str, path: str, schema: str) -> None:
    session = accepted(linked, started(linked))
    asked = Things(linked.machine.public_id, "x", "x", session.public_id, linked.gateway.id, "x", "x", "x")
    end = ConnectorEnd(linked.technician)
    address = filled(path, asked) if PLACE.search(path) else path
    for name in properties(schema):
        for extreme in (NUL, "x" * 5000, 1 << 63, -(1 << 70), -1):
            body = {"machine": "Press 3", "reason": "x", "minutes": 5, "key": "x", "request": "x", "proof": "x"}
            body |= dict.fromkeys(properties(schema).keys() - body.keys() - {"starts_at"}, "x")
            body = {field: value for field, value in body.items() if field in properties(schema)} | {name: extreme}
            with watched() as refused:
                answer = (
                    post(address, body)
                    if "/gateways/" in path or "/connector/" in path
                    else end.call(method.upper(), address.removeprefix("/api/v1"), body)
                )
            assert refused == [], (name, extreme)
            assert answer.status_code < 500, (name, extreme)
    assert rows_it_would_refuse() == []
    assert again(session).state == "live"


LATER = dict.fromkeys(
    (
        "account",
        "plant",
        "token",
        "domain",
        "review",
        "role",
        "notification",
        "substitution",
        "entry",
        "playback",
        "delegation",
        "directory_end",
        "extension",
        "question",
        "analyst",
        "customer",
        "search",
        "closed",
    ),
    "x%00",
)


def test_no_address_brings_u0000_to_the_database(linked: World) -> None:
    nul = replace(Things(*(["x%00"] * 8)), held="x%00", provider="x%00", group="x%00", **LATER)
    client, end = signed_in(linked.owner), ConnectorEnd(linked.technician)
    with watched() as refused:
        for route in PAGES:
            if PLACE.search(route):
                answers = {method(filled(route, nul)).status_code for method in (client.get, client.post)}
                assert answers == {404}, route
            else:
                assert client.get(f"/{route}?q=%00&about=%00&code=%00&page=%00&suppliers=%00").status_code == 404
        assert end.call("GET", "/machines/x%00").json()["code"] == "not-found"
        assert Client(HTTP_HOST="localhost").get("/machines/%00/").status_code == 404
    assert refused == []
    assert client.get(filled("machines/<str:machine>/", NOWHERE)).status_code == 404


# -- every column -------------------------------------------------------------------------------------------------


# Texts without a length in the database, and where they have their end.
ENDS = {
    "audit.PersonalValue.value",  # shortened to 512 characters where it is recorded
    "audit.Checkpoint.note",  # written here
    "audit.Cosignature.line",  # one line of a note that was parsed: 16 KiB at most
    "audit.Witnessed.error",  # words of ours, and of a witness as far as they are shown
    "audit.WatchedCheckpoint.note",  # parsed: 16 KiB at most
    "audit.WatchedFault.why",  # words of ours
    "audit.WatchedFault.note",  # parsed: 16 KiB at most
}


def test_no_constraint_is_called_like_a_table() -> None:
    """On PostgreSQL both are relations, and one schema has each name once."""
    tables = {model._meta.db_table for model in apps.get_models()}
    named = [
        (model, kept.name) for model in apps.get_models() for kept in (*model._meta.constraints, *model._meta.indexes)
    ]
    assert [pair for pair in named if pair[1] in tables] == []


@pytest.mark.parametrize("field", our_fields(), ids=str)
def test_every_column_has_an_end_that_is_known_here(field: models.Field[Any, Any]) -> None:
    """A new kind of column has to be added to ``postgres``, a text without a length to this list with its reason."""
    if isinstance(field, models.TextField):
        assert str(field) in ENDS
    elif isinstance(field, models.CharField):
        assert field.max_length
    elif isinstance(field, models.IntegerField):
        assert type(field) in _MOST
    else:
        assert isinstance(
            field,
            models.ForeignKey | models.BinaryField | models.DateTimeField | models.BooleanField | models.JSONField
            | models.GenericIPAddressField | models.AutoField | models.DateField,
        )  # fmt: skip


def test_what_does_not_fit_is_noticed(linked: World) -> None:
    port, text = Stream._meta.get_field("port"), Session._meta.get_field("end_why")
    noticed: list[str] = []
    assert fault(port, 1 << 31)
    assert fault(port, -1)
    assert fault(text, "x" * 121)
    assert fault(text, NUL)
    assert fault(Gateway._meta.get_field("signers"), [NUL])
    assert not fault(text, "x" * 120)
    for wanted in ({"public_id": NUL}, {"signers": [NUL]}):
        with watched() as refused:
            try:
                with transaction.atomic():
                    assert not Gateway.objects.filter(**wanted).exists()
            except DataError:  # PostgreSQL itself
                refused[:] = ["U+0000: by the database"]
        noticed += refused
    assert [said.partition(":")[0] for said in noticed] == ["U+0000"] * 2
    assert json.dumps(NUL) == '"a\\u0000b"'
