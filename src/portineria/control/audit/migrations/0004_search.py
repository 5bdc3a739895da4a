# SPDX-License-Identifier: Apache-2.0
"""Search: events by supplier, by hour and by their words, and indices in the order in which pages show events.

Phase 1 of 2, schema only; 0005 fills it for the events of old. An older release goes on beside it: the columns have
defaults of the database's own. What it writes is in the register and on the page, and is found by a search once 0005
is run again (``migrate audit 0004`` and back).
Rows: SQLite copies audit_event once to add a column, 10 million rows in some minutes; PostgreSQL does not.
Locks: PostgreSQL builds the indices under SHARE, writers wait; on SQLite nobody else writes while it runs.
Back: reversible; the words and hours are made anew by the way forward.
"""

from django.db import migrations, models
from django.db.models import Q

from portineria.control.audit.word_index import CREATE, DROP


def create_words(apps, schema_editor):  # type: ignore[no-untyped-def]
    for statement in CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop_words(apps, schema_editor):  # type: ignore[no-untyped-def]
    for statement in DROP[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def _newest_of(column: str) -> migrations.AddIndex:
    return migrations.AddIndex(
        "event", models.Index(fields=[column, "id"], name=f"audit_event_{column}", condition=~Q(**{column: ""}))
    )


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_witnesses")]

    operations = [
        migrations.CreateModel(
            name="Hour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=24)),
                ("hour", models.PositiveBigIntegerField()),
                ("first", models.PositiveBigIntegerField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organisation", "first"), name="audit_hour_first")],
                "indexes": [models.Index(fields=["organisation", "hour", "first"], name="audit_hour_hour")],
            },
        ),
        migrations.AddField("head", "hour", models.PositiveBigIntegerField(default=0, db_default=0)),
        *(migrations.RemoveIndex("event", f"audit_event_{name}") for name in ("session", "machine", "gateway", "code")),
        migrations.AddField(
            "event", "supplier", models.CharField(max_length=24, blank=True, default="", db_default="")
        ),
        migrations.AddIndex("event", models.Index(fields=["organisation", "id"], name="audit_event_newest")),
        migrations.AddIndex("event", models.Index(fields=["organisation", "code", "id"], name="audit_event_code")),
        *(_newest_of(name) for name in ("session", "machine", "gateway", "supplier")),
        migrations.RunPython(create_words, drop_words),
    ]
