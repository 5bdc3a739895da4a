# SPDX-License-Identifier: Apache-2.0
"""A gateway or connector is installed without Django; a connector must also start where there is no POSIX.

No process loads an interface before somebody asks for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOT_IN_THE_BASE = [
    *("django", "allauth", "ninja", "pydantic", "csp", "django_htmx", "whitenoise", "uvicorn", "fido2", "qrcode"),
    *("httpx", "httpcore"),
    *("reportlab", "PIL"),
    *("requests", "oauthlib", "jwt", "onelogin", "xmlsec", "lxml"),
    *("nats", "prometheus_client", "opentelemetry", "google.protobuf", "pyarrow", "confluent_kafka"),
    *("rfc3161_client", "asyncssh", "asyncua", "pymodbus", "snap7", "c104"),
    *("pytest", "hypothesis", "playwright", "babel", "hatchling"),
]
# What CPython for Windows does not have, and uvloop, which is not built for it.
NOT_ON_WINDOWS = ["uvloop", "fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog"]

# The standard library and our dependencies cope with their absence by themselves, so they are loaded before it begins.
PROGRAM = """
import asyncio, importlib, json, pathlib, pkgutil, ssl, subprocess, sys, tempfile
import cryptography.x509, msgspec, structlog
room, absent = json.loads(sys.argv[1])
for name in absent:
    for loaded in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
        del sys.modules[loaded]
    sys.modules[name] = None
package = importlib.import_module(room)
for module in pkgutil.walk_packages(getattr(package, "__path__", []), room + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def import_all(room: str, absent: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps([room, absent])]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "room",
    [
        "portineria.core",
        "portineria.ledger",
        "portineria.policy",
        "portineria.recording",
        "portineria.wire",
        "portineria.bus",
        "portineria.witness",
        "portineria.dataplane.aio",
        "portineria.dataplane.gateway",
        "portineria.dataplane.relay",
        "portineria.dataplane.connector",
        "portineria.cli",
    ],
)
def test_a_room_of_the_base_install_needs_no_extra(room: str) -> None:
    done = import_all(room, NOT_IN_THE_BASE)
    assert done.returncode == 0, done.stderr


def test_the_connector_needs_nothing_that_windows_lacks() -> None:
    done = import_all("portineria.dataplane.connector", [*NOT_IN_THE_BASE, *NOT_ON_WINDOWS])
    assert done.returncode == 0, done.stderr


def test_a_missing_library_is_noticed() -> None:
    done = import_all("django.http", NOT_IN_THE_BASE)
    assert done.returncode != 0
    assert "django" in done.stderr


def test_a_profile_in_toml_is_judged_where_no_yaml_is_read() -> None:
    program = """
import sys
sys.modules["yaml"] = sys.modules["django"] = None
from portineria.control.declaration.notation import Unread, values_of
assert values_of(b"[[profile]]\\nname = 'a'") == {"profile": [{"name": "a"}]}
try:
    values_of(b"profile: []")
except Unread as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "where the server is installed" in done.stdout, done.stderr


ONE_ADDRESS = """
import pathlib, sys
from portineria.control.settings.server import load
from portineria.control.settings.start import use
use(load(pathlib.Path(sys.argv[1])))
print(*(name for name in ("ninja", "pydantic", "httpx", "django.test") if name in sys.modules))
from django.urls import reverse
reverse("account_login")
print(*(name for name in ("portineria.control.rest.api", "scim2_models") if name in sys.modules))
"""


def test_the_interfaces_are_loaded_by_those_whom_somebody_asks(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ONE_ADDRESS, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "\n\n"
