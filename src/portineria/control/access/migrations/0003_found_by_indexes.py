# SPDX-License-Identifier: Apache-2.0
"""Rules by whom they name, requests by whose they are and newest first.

With 20,000 rules and 40,000 requests a machine's page read all of its organisation's.
Rows: none change.
Locks: PostgreSQL keeps writers of access_rule and access_accessrequest waiting while it builds each index, less than a
second at those sizes; readers go on. SQLite does it in the one transaction of the migration.
Back: reversible.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0002_requests_lapse")]

    operations = [
        migrations.AddIndex("accessrequest", models.Index(fields=["state"], name="access_request_state")),
        migrations.AddIndex(
            "rule",
            models.Index(
                condition=models.Q(supplier__isnull=False),
                fields=["supplier", "organisation"],
                name="access_rule_supplier",
            ),
        ),
        migrations.AddIndex(
            "rule",
            models.Index(
                condition=models.Q(person__isnull=False), fields=["person", "organisation"], name="access_rule_person"
            ),
        ),
        migrations.AddIndex(
            "accessrequest", models.Index(fields=["organisation", "made_at"], name="access_request_newest")
        ),
        migrations.AddIndex(
            "accessrequest", models.Index(fields=["person", "organisation", "made_at"], name="access_request_person")
        ),
        migrations.AddIndex(
            "accessrequest", models.Index(fields=["machine", "organisation", "state"], name="access_request_machine")
        ),
    ]
