# SPDX-License-Identifier: Apache-2.0
"""Units, Containerfile and its unit are as tight as the handbook says; what would loosen them is found."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def deployment() -> ModuleType:
    return script("deployment")


def test_what_is_deployed_is_as_tight_as_it_says(deployment: ModuleType) -> None:
    assert list(deployment.faults()) == []
    assert len(deployment.UNITS) == 5


def test_a_unit_that_loosens_anything_is_found(deployment: ModuleType) -> None:
    text = (ROOT / "deploy/systemd/portineria.service").read_text()
    for key in deployment.DEMANDED:
        assert list(deployment.unit_faults(re.sub(rf"(?m)^{key}=.*\n", "", text))), key
        assert list(deployment.unit_faults(text + f"\n{key}=no\n")), key
    for before, after in (
        ("User=portineria", "User=root"), ("User=portineria\n", ""), ("serve --state", "serv --state"),
        ("CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_SYS_ADMIN"),
        ("SystemCallFilter=~@privileged @resources\n", ""),
    ):  # fmt: skip
        assert before in text
        assert list(deployment.unit_faults(text.replace(before, after))), after


def test_a_container_that_loosens_anything_is_found(deployment: ModuleType) -> None:
    text = deployment.CONTAINERFILE.read_text()
    for before, after in (
        ("USER 65532:65532", "USER 0:0"), ("USER 65532:65532\n", ""), ("USER 65532:65532", "USER portineria"),
        ("USER 65532:65532", "RUN id\nUSER 65532:65532"), ("--require-hashes", "--no-deps"), ("--no-index", "--quiet"),
        ("COPY . /bundle", "ADD https://example.com/x /bundle"),
        ('ENTRYPOINT ["/usr/bin/python3", ', "ENTRYPOINT python3 "), ('"serve"', '"server"'),
    ):  # fmt: skip
        assert before in text
        assert list(deployment.container_faults(text.replace(before, after))), after
    quadlet = deployment.QUADLET.read_text()
    for line in ("ReadOnly=true", "NoNewPrivileges=true", "DropCapability=all", "User=65532"):
        assert list(deployment.quadlet_faults(quadlet.replace(line, ""))), line
    assert list(deployment.quadlet_faults(quadlet + "PodmanArgs=--privileged\n"))
    for before, after in (
        ("portineria-state.volume", "other.volume"), (":U\n", "\n"), (":U\n", ":ro\n"), ("PidsLimit", "PidLimit"),
    ):  # fmt: skip
        assert before in quadlet
        assert list(deployment.quadlet_faults(quadlet.replace(before, after))), after


def test_a_bundle_names_every_wheel_by_its_hash(tmp_path: Path) -> None:
    """The whole of it: `make bundle`."""
    bundle = script("offline_bundle")
    (tmp_path / "idna-3.20-py3-none-any.whl").write_bytes(b"wheel")
    digest = hashlib.sha256(b"wheel").hexdigest()
    assert bundle.requirements(tmp_path) == [f"idna==3.20 --hash=sha256:{digest}"]
    before = bundle.sums(tmp_path)
    (tmp_path / "idna-3.20-py3-none-any.whl").write_bytes(b"other")
    assert bundle.sums(tmp_path) != before
