# SPDX-License-Identifier: Apache-2.0
"""What a search found, taken out in every format, and checked elsewhere."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from portineria.control.audit.models import Event
from portineria.control.console import event_extract
from portineria.control.console.event_forms import EventFilter
from portineria.ledger.evidence_archive import pack, unpack
from portineria.ledger.extract import verify_extract
from portineria.ledger.trust import Trust
from portineria.sinks.extract import FORMATS
from tests.integration.control.browsing import signed_in
from tests.integration.control.commands import run
from tests.integration.control.world import World, fresh

FORMULA = '=HYPERLINK("http://evil.example")\n\u202e<script>'


def take(world: World, kind: str, search: str = "code=access.") -> bytes:
    page = signed_in(world.owner).post(
        f"/events/extract/?{search}", {"organisation": world.organisation, "format": kind}
    )
    assert page.status_code == 200, page.content
    assert page["Content-Disposition"].startswith('attachment; filename="events-')
    return bytes(page.content)


def table(content: bytes) -> bytes:
    members, faults = unpack(content)
    assert not faults
    return next(data for name, data in members.items() if name.startswith("events."))


@pytest.fixture
def asked(world: World) -> World:
    from portineria.control.access import services as access

    made = access.make_request(actor=world.technician, machine="Press 3", reason="x", minutes=30)
    access.refuse(actor=world.owner, request=made.public_id, reason="x")
    access.end_rule(actor=world.owner, rule=world.rule, reason=FORMULA)
    return world


def test_every_format_says_the_same_and_is_proven(asked: World, tmp_path: Path) -> None:
    taken = {one.name: take(asked, one.name) for one in FORMATS}
    seqs = {
        "csv": [int(row["seq"]) for row in csv.DictReader(io.StringIO(table(taken["csv"]).decode("utf-8-sig")))],
        "json": [json.loads(line)["seq"] for line in table(taken["json"]).splitlines()],
        "ocsf": [json.loads(line)["metadata"]["sequence"] for line in table(taken["ocsf"]).splitlines()],
        "parquet": parquet.read_table(io.BytesIO(table(taken["parquet"])))["seq"].to_pylist(),
    }
    expected = list(Event.objects.filter(organisation=asked.organisation, code__startswith="access.")
                    .order_by("seq").values_list("seq", flat=True))  # fmt: skip
    assert expected
    assert all(found == expected for found in seqs.values())
    for content in taken.values():
        verdict = verify_extract(content, Trust())
        assert verdict.faults == []
        assert (verdict.events, verdict.asked) == (len(expected), "code=access.")
    file = tmp_path / "events.zip"
    file.write_bytes(taken["csv"])
    done = run(tmp_path, "ledger", "verify", str(file))
    assert done.returncode == 0, done.stderr
    assert f"{len(expected)} events" in done.stdout
    codes = Event.objects.filter(organisation=asked.organisation).values_list("code", flat=True)
    assert list(codes).count("audit.register.extracted") == len(FORMATS)


def test_text_of_strangers_computes_nothing_and_begins_no_line(asked: World) -> None:
    rows = list(csv.reader(io.StringIO(table(take(asked, "csv")).decode("utf-8-sig"))))
    reasons = [cell for row in rows for cell in row if "HYPERLINK" in cell]
    assert reasons
    assert all(cell.startswith("'=") and cell.isprintable() for cell in reasons)
    assert len({len(row) for row in rows}) == 1
    made = Event.objects.filter(organisation=asked.organisation, code__startswith="access.").count()
    for kind in ("json", "ocsf"):
        assert len(table(take(asked, kind)).splitlines()) == made


def test_whatever_is_changed_in_it_is_found(asked: World) -> None:
    content = take(asked, "json")
    members, _ = unpack(content)
    (name,) = (name for name in members if name.startswith("events."))
    changes = {
        name: members[name].replace(b'"minutes":30', b'"minutes":31'),
        "register.jsonl": members["register.jsonl"].replace(b"minutes", b"minutez"),
        "manifest.json": members["manifest.json"].replace(b"code=access.", b"code=bccess."),
        "manifest.note": members["manifest.note"].replace(b"extract", b"evidence"),
    }
    for changed, data in changes.items():
        assert data != members[changed]
        assert verify_extract(pack({**members, changed: data}), Trust()).faults, changed
    assert verify_extract(pack({**members, "more.txt": b""}), Trust()).faults
    assert verify_extract(pack({one: members[one] for one in members if one != "register.jsonl"}), Trust()).faults
    for cut in range(0, len(content), max(1, len(content) // 40)):
        assert verify_extract(content[:cut], Trust()).faults, cut
    assert verify_extract(content, Trust(root_sha256=bytes(32))).faults


def test_only_whoever_reads_the_register_takes_anything_out(asked: World) -> None:
    form = {"organisation": asked.organisation, "format": "csv"}
    for person in (asked.technician, asked.rival, asked.stranger):
        assert signed_in(fresh(person)).post("/events/extract/", form).status_code == 404
    owner = signed_in(asked.owner)
    assert owner.post("/events/extract/", {**form, "format": "exe"}).status_code == 422
    assert owner.post("/events/extract/?text=nobodysaidthat", form).status_code == 409
    assert owner.post("/events/extract/?since=never", form).status_code == 409
    assert owner.get("/events/extract/").status_code == 405
    everything = EventFilter({}, actor=asked.owner)
    for most, fits in ((3, False), (Event.objects.filter(organisation=asked.organisation).count() + 5, True)):
        try:
            event_extract.take_out(
                actor=asked.owner, form=everything, organisation=asked.organisation, kind="csv", asked="", most=most
            )
            assert fits
        except event_extract.TooManyEvents:
            assert not fits
