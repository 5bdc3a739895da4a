# SPDX-License-Identifier: Apache-2.0
"""What ships is known, may ship, and is built the same wherever it is built."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/supply_chain.py"


@pytest.fixture(scope="module")
def chain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("supply_chain", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["supply_chain"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True), ("GPL-2.0-or-later OR MIT", True), ("Apache-2.0 AND MPL-2.0", True),
        ("", False), ("GPL-3.0-only", False), ("AGPL-3.0-or-later", False), ("LGPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False), ("EPL-2.0 OR GPL-2.0-or-later", False), ("Somebodys-Own-1.0", False),
        ("Proprietary AND (", False), ("GPL-2.0-only WITH Classpath-exception-2.0", False),
    ],
)  # fmt: skip
def test_copyleft_and_the_unknown_do_not_ship(chain: ModuleType, licence: str, may: bool) -> None:
    assert (chain.refused(chain.Part("pypi", "some-library", "1", licence)) == "") is may
    assert chain.refused(chain.Part("pypi", "psycopg", "3", "LGPL-3.0-only")) == ""
    assert chain.refused(chain.Part("pypi", "psycopg", "4", "GPL-3.0-only")) != ""


def test_the_bill_of_materials_is_one_and_names_all_that_ships(chain: ModuleType) -> None:
    text = chain.sbom()
    # Its library compiles forty grammars when it is loaded: not in every process that only lists the tests.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == chain.sbom()
    bill = json.loads(text)
    names = {part["name"] for part in bill["components"]}
    assert {"cryptography", "cffi", "django", "psycopg", "prometheus-client", "@tabler/core"} <= names
    assert not {"portineria", "pytest", "c104", "asyncua"} & names
    needs = {entry["ref"].partition("@")[0]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    assert any(ref.startswith("pkg:pypi/cffi@") for ref in needs["pkg:pypi/cryptography"])
    assert [chain.refused(part) for part in chain.python_parts() if chain.refused(part)] == []


def test_a_part_that_the_service_does_not_know_was_not_found_harmless(chain: ModuleType) -> None:
    """As pip-audit writes it: its own words below it are "No known vulnerabilities found"."""
    skipped = {"name": "msgspec", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    sound = {"name": "idna", "version": "3.20", "vulns": []}
    fault = {"id": "PYSEC-2026-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}
    weak = {"name": "weak", "version": "2.0", "vulns": [fault]}
    read = chain.read_answer(json.dumps({"dependencies": [skipped, sound], "fixes": []}))
    assert (read.known, read.found) == (1, ())
    read = chain.read_answer(json.dumps({"dependencies": [weak], "fixes": []}))
    assert read.found == ("weak 2.0: PYSEC-2026-1, repaired in 2.1",)


def test_without_a_network_nothing_is_known_and_that_is_said(
    chain: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert chain.audit("--strict", "--vulnerability-service", "osv") == 1
    assert capsys.readouterr().out.startswith("NOT AUDITED: the vulnerability service could not be asked: ")
    assert chain.verdict(chain.Answer(3, ()), 3, strict=True)[0] == 0
    assert [chain.verdict(chain.Answer(2, ()), 3, strict=strict)[0] for strict in (False, True)] == [0, 1]
    assert chain.verdict(chain.Answer(1, ("weak 2.0: PYSEC-2026-1",)), 3, strict=False)[0] == 1


def test_a_service_that_answers_decides(chain: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip-audit itself, which asks an OSV server of one's own: what is known of one of two ends with 1 and is named."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    fault = {"id": "GHSA-aaaa", "modified": "2026-01-01T00:00:00Z", "summary": "x", "affected": [
        {"package": {"name": "weak", "ecosystem": "PyPI"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}]}]}  # fmt: skip

    class Osv(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"vulns": [fault]} if asked["package"]["name"] == "weak" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_said: object) -> None: ...

    parts = [chain.Part("pypi", name, version, "MIT") for name, version in (("weak", "2.0"), ("idna", "3.20"))]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        own = ("--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query")
        text, why = chain.asked(parts, *own)
        server.shutdown()
    assert text, why
    assert chain.verdict(chain.read_answer(text), 2, strict=False) == (1, "weak 2.0: GHSA-aaaa, repaired in 2.1")


def build(folder: Path, umask: int) -> bytes:
    """The wheel, out of a copy of what is under version control and of the browser libraries that are here already."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    source = [
        name for name in listed.split("\0") if name.startswith(("src/", "LICENSE", "README", "pyproject", "hatch"))
    ]
    vendor = ROOT / "src/portineria/control/console/static/vendor"
    for name in [*source, "package.json", "package-lock.json"]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
            (folder / name).chmod(0o666 & ~umask)
    shutil.copytree(vendor, folder / vendor.relative_to(ROOT))
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out"], cwd=folder, env=environment,
        check=True, capture_output=True, umask=umask,
    )  # fmt: skip
    [wheel] = (folder / "out").iterdir()
    return wheel.read_bytes()


def test_two_builds_are_the_same_to_the_last_byte(tmp_path: Path) -> None:
    first, second = build(tmp_path / "here", 0o022), build(tmp_path / "elsewhere" / "deeper", 0o077)
    assert first == second
    (tmp_path / "wheel.zip").write_bytes(first)
    with zipfile.ZipFile(tmp_path / "wheel.zip") as wheel:
        names = wheel.namelist()
    assert "portineria/control/console/static/vendor/tabler/tabler.css" in names
    assert any(name.endswith("locale/ja/LC_MESSAGES/django.mo") for name in names)
