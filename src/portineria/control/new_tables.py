# SPDX-License-Identifier: Apache-2.0
"""The tables of an empty database, made at once as they are now: the way through every version's tables is as long as
the product is old. A test holds the two side by side.
"""

from typing import Any, cast

from django.core.management.sql import emit_post_migrate_signal
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portineria.control.audit.word_index import CREATE


def make_tables() -> bool:
    """All of them in one transaction, or none. False where there are some: what is missing is a matter of migrations.

    The caller sees to it that nobody else does the same meanwhile.
    """
    if connection.introspection.table_names():
        return False
    loader, recorder = MigrationLoader(None), cast(Any, MigrationRecorder(connection))
    with connection.schema_editor() as editor:  # SQLite takes its lock here: whoever was first has made them
        if connection.introspection.table_names():
            return False
        for model in loader.project_state().apps.get_models():  # as migrations have them: code differs a little
            if model._meta.can_migrate(connection):
                editor.create_model(model)
        for statement in CREATE[connection.vendor]:
            editor.execute(statement)
        recorder.ensure_schema()
        for app, name in sorted(loader.graph.nodes):
            recorder.record_applied(app, name)
    emit_post_migrate_signal(0, False, connection.alias)
    return True
