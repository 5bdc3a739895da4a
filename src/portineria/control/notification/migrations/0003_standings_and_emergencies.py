# SPDX-License-Identifier: Apache-2.0
"""People are told that a supplier's standing is over soon and what was opened in an emergency, and choose how.

Rows: none change. Locks: PostgreSQL reads the notifications of 90 days once, under ACCESS EXCLUSIVE, for the constraint
that takes two kinds more; lock_timeout is 4 s. SQLite copies them. Back: reversible once no such notification is left.
"""

from django.db import migrations, models

_KINDS = [
    ("waits", "Waits"), ("decided", "Decided"), ("ends", "Ends"), ("held", "Held"), ("opened", "Opened"),
    ("locked", "Locked"), ("job", "Job"), ("standing", "Standing"), ("role", "Role"),
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("notification", "0002_webhook_form")]

    operations = [
        migrations.RemoveConstraint(model_name="notification", name="notification_kind"),
        migrations.AlterField(model_name="choice", name="kind", field=models.CharField(choices=_KINDS, max_length=8)),
        migrations.AlterField(
            model_name="notification", name="kind", field=models.CharField(choices=_KINDS, max_length=8)
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", [kind for kind, _ in _KINDS])), name="notification_kind"
            ),
        ),
    ]
