# SPDX-License-Identifier: Apache-2.0
"""Search finds the events of old too: their supplier, where each hour begins, and their words.

Phase 2 of 2. Rows: every event is read once, in transactions of 2000; suppliers and words come from the leaf and the
personal values, which stay as they are. 10 million events take about half an hour.
Locks: none but those of its own rows; SQLite's other writers wait for one batch at most.
Stopped half-way it begins anew: what it made is emptied first. Back: nothing to do, 0004 takes the tables away.
"""

import json
from types import SimpleNamespace

from django.db import migrations, transaction

from portineria.control.audit import word_index, words

_TOGETHER = 2000
_COLUMNS = ("session", "machine", "gateway", "person", "supplier")
_HOUR_S = 3600


def fill(apps, schema_editor):  # type: ignore[no-untyped-def]
    event, hour, head = (apps.get_model("audit", name) for name in ("Event", "Hour", "Head"))
    values = apps.get_model("audit", "PersonalValue")
    hour.objects.all().delete()
    word_index.empty()
    newest: dict[str, int] = {}
    row = 0
    while True:
        with transaction.atomic():
            rows = list(event.objects.filter(pk__gt=row).order_by("pk")[:_TOGETHER])
            if not rows:
                break
            _fill_rows(rows, values, event, hour, newest)
            row = rows[-1].pk
    for organisation, last in newest.items():
        head.objects.filter(organisation=organisation).update(hour=last)


def _fill_rows(rows, values, event, hour, newest):  # type: ignore[no-untyped-def]
    personal: dict[int, list[str]] = {}
    for value in values.objects.filter(event__in=[row.pk for row in rows], value__isnull=False):
        personal.setdefault(value.event_id, []).append(value.value)
    hours, named, found = [], [], []
    for row in rows:
        fields = json.loads(bytes(row.leaf))["fields"]
        row.supplier = str(fields.get("supplier", ""))
        if row.supplier:
            named.append(row)
        written = int(row.at.timestamp()) // _HOUR_S
        if newest.get(row.organisation) != written:
            hours.append(hour(organisation=row.organisation, hour=written, first=row.pk))
            newest[row.organisation] = written
        found.append((row.pk, _words(row, fields, personal.get(row.pk, []))))
    event.objects.bulk_update(named, ["supplier"], batch_size=500)
    hour.objects.bulk_create(hours)
    word_index.put(found)


def _words(row: SimpleNamespace, fields: dict[str, str], personal: list[str]) -> list[str]:
    return words.event_words(
        organisation=row.organisation, code=row.code, actor=row.actor,
        columns=[getattr(row, name) for name in _COLUMNS], fields=fields, personal=personal,
    )  # fmt: skip


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0004_search")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
