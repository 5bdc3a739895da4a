# SPDX-License-Identifier: Apache-2.0
"""Django for the tests: a throw-away state folder, a real database file, once per test process."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from functools import cache
from pathlib import Path

from django.conf import settings as django_settings
from django.db import connections
from django.test.client import ClientHandler

from portineria.control.settings import start as settings_start
from portineria.control.settings.database import database as database_of
from portineria.control.settings.master_key import make_master_key
from portineria.control.settings.server import load
from tests.integration import postgresql_server


@cache
def start() -> Path:
    """Return the state folder. Whoever started Django before with another one gets this one too."""
    folder = Path(tempfile.mkdtemp(prefix="portineria-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "sinks").mkdir()
    lines = f'sink_folder = "{folder / "sinks"}"\napi_per_minute = 2000\n' + postgresql_server.settings_lines()
    (folder / "portineria.toml").write_text(lines)
    make_master_key(folder)
    if django_settings.configured:
        settings_start._used[:] = [load(folder)]
        _use_database_of(folder)
    else:
        settings_start.use(load(folder))
    # A slow hash protects nobody here.
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    from portineria.control.static_files import publish_static_files, static_root  # needs Django's settings

    database = connections.settings["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = folder / "test.sqlite3"
        # Durability against power loss is not what these tests can see, and costs them minutes.
        command = database["OPTIONS"]["init_command"]
        database["OPTIONS"]["init_command"] = command.replace("synchronous=FULL", "synchronous=OFF")
    django_settings.STATIC_ROOT = static_root(folder)
    publish_static_files()
    _share_middleware()
    return folder


def _share_middleware() -> None:
    """All clients send through one chain, as everybody does to a server: each of thousands would make its own, with a
    look at every static file.
    """
    made = ClientHandler()
    made.load_middleware()
    for name, value in vars(made).items():
        setattr(ClientHandler, name, staticmethod(value) if callable(value) else value)


def _use_database_of(folder: Path) -> None:
    """pytest-django started Django with the settings of no folder, which means SQLite."""
    given = database_of(load(folder))
    connections.configure_settings({"default": given})
    connections.settings["default"] = given
    with contextlib.suppress(AttributeError):  # nobody has asked it anything yet
        del connections["default"]
