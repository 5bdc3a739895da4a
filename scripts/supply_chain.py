# SPDX-License-Identifier: Apache-2.0
"""What ships, from where and under which licence: `licences [--list]`, `sbom FILE`, `audit [--strict]`.

What ships is Portineria, what its extras for running it bring (not `demo`, `docs`, `test`), as installed here, and the
browser libraries of package-lock.json.
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from license_expression import AND, OR, ExpressionError, LicenseSymbol, get_spdx_licensing
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
NAME = "portineria"
NOT_SHIPPED = {"demo", "docs", "test"}
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0",
    "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
# Copyleft, unchanged, and only in an extra of its own: docs/decisions/dependencies.md.
APART = dict.fromkeys(("psycopg", "psycopg-binary", "psycopg-pool"), "LGPL-3.0-only")
# What their metadata leaves open ("BSD", nothing at all), read in the licence files that they ship.
READ = {
    "django-csp": "BSD-3-Clause", "fido2": "BSD-2-Clause", "isodate": "BSD-3-Clause", "protobuf": "BSD-3-Clause",
    "pyrage": "MIT", "qrcode": "BSD-3-Clause", "reportlab": "BSD-3-Clause", "sqlparse": "BSD-3-Clause",
}  # fmt: skip
CLASSIFIERS = {
    "MIT License": "MIT", "Apache Software License": "Apache-2.0", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}  # fmt: skip
_LICENSING = get_spdx_licensing()


@dataclass(frozen=True, slots=True)
class Part:
    """``licence``: an SPDX expression; empty when nobody says."""

    kind: str
    name: str
    version: str
    licence: str
    needs: tuple[str, ...] = ()
    sha512: str = ""

    @property
    def purl(self) -> PackageURL:
        namespace, _, name = self.name.rpartition("/")
        return PackageURL(self.kind, namespace or None, name, self.version)


def extras() -> set[str]:
    return set(importlib.metadata.metadata(NAME).get_all("Provides-Extra", [])) - NOT_SHIPPED


def python_parts() -> list[Part]:
    """Raise PackageNotFoundError for what ships and is not installed here."""
    wanted: dict[str, set[str]] = {NAME: extras()}
    waiting, needs = [NAME], dict[str, set[str]]()
    while waiting:
        name = waiting.pop()
        needs[name] = set()
        for requirement in _requirements(name, wanted[name]):
            needed = canonicalize_name(requirement.name)
            needs[name].add(needed)
            if needed not in wanted or requirement.extras - wanted[needed]:
                wanted.setdefault(needed, set()).update(requirement.extras)
                waiting.append(needed)
    return [_python_part(name, tuple(sorted(needs[name]))) for name in sorted(wanted)]


def _requirements(name: str, chosen: set[str]) -> Iterator[Requirement]:
    for text in importlib.metadata.requires(name) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *chosen)):
            yield requirement


def _python_part(name: str, needs: tuple[str, ...]) -> Part:
    told = importlib.metadata.metadata(name)
    licence = READ.get(name) or told["License-Expression"] or _said(told["License"] or "") or _classified(told)
    return Part("pypi", name, told["Version"], licence, needs)


def _said(text: str) -> str:
    text = text.strip().removesuffix(" License")
    return text if text in ALLOWED else ""


def _classified(told: importlib.metadata.PackageMetadata) -> str:
    found = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier", []) if line.startswith("License ::")]
    return CLASSIFIERS.get(found[0], "") if len(found) == 1 else ""


def browser_parts() -> list[Part]:
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    parts = []
    for name in sorted(lock[""]["dependencies"]):
        entry = lock[f"node_modules/{name}"]
        sha512 = base64.b64decode(entry["integrity"].removeprefix("sha512-")).hex()
        parts.append(Part("npm", name, entry["version"], entry.get("license", ""), sha512=sha512))
    return parts


# -- licences -----------------------------------------------------------------------------------------------------


def refused(part: Part) -> str:
    """Why this part must not ship; empty when it may. Of several licences to choose from one is enough."""
    if not part.licence:
        return "nobody says under which licence it is"
    if APART.get(part.name) == part.licence:
        return ""
    try:
        parsed = _LICENSING.parse(part.licence, validate=True)
    except ExpressionError as error:
        return str(error)
    return "" if _may(parsed) else f"{part.licence} is not among those that may ship"


def _may(expression: object) -> bool:
    if isinstance(expression, LicenseSymbol):
        return expression.key in ALLOWED
    if isinstance(expression, OR):
        return any(_may(each) for each in expression.args)
    return isinstance(expression, AND) and all(_may(each) for each in expression.args)


def licences(listed: str = "") -> int:
    """``listed`` --list: all of them, not only those that must not ship."""
    parts, wrong = [*python_parts(), *browser_parts()], 0
    for part in parts:
        why = refused(part)
        wrong += bool(why)
        if why or listed:
            print(f"{part.name} {part.version}: {part.licence or '?'}{f'  REFUSED: {why}' if why else ''}")
    if wrong or not listed:
        print(f"{wrong} parts must not ship." if wrong else f"All {len(parts)} parts may ship by their licences.")
    return 1 if wrong else 0


# -- software bill of materials -----------------------------------------------------------------------------------


def sbom() -> str:
    """CycloneDX 1.6 as JSON. The same parts give the same text: its number and date follow from them."""
    parts = [*python_parts(), *browser_parts()]
    components = {part.name: _component(part) for part in parts}
    whole = components.pop(NAME)
    bom = Bom(components=components.values())
    bom.metadata.component = whole
    bom.metadata.timestamp = datetime.fromtimestamp(_epoch(), UTC)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(str(part) for part in parts))
    for part in parts:
        if part.kind == "pypi" and part.name != NAME:
            bom.register_dependency(components[part.name], [components[name] for name in part.needs])
    ours = next(part for part in parts if part.name == NAME)
    browser = [part.name for part in parts if part.kind == "npm"]
    bom.register_dependency(whole, [components[name] for name in (*ours.needs, *browser)])
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _component(part: Part) -> Component:
    kind = ComponentType.APPLICATION if part.name == NAME else ComponentType.LIBRARY
    hashes = [HashType(alg=HashAlgorithm.SHA_512, content=part.sha512)] if part.sha512 else []
    return Component(
        type=kind, name=part.name, version=part.version, purl=part.purl, bom_ref=str(part.purl), hashes=hashes,
        licenses=[LicenseExpression(part.licence)] if part.licence else [],
    )  # fmt: skip


def _epoch() -> int:
    """Of the release: SOURCE_DATE_EPOCH, else the last commit, else hatchling's own date."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else 1580601600


# -- known vulnerabilities ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vulnerability service said: of how many parts it knew, and what it knew of them."""

    known: int
    found: tuple[str, ...]


def read_answer(text: str) -> Answer:
    """pip-audit's JSON. A part that it "could not audit" was not found harmless."""
    parts = json.loads(text)["dependencies"]
    found = [
        f"{part['name']} {part['version']}: {fault['id']}, repaired in {', '.join(fault['fix_versions']) or 'nothing'}"
        for part in parts
        for fault in part.get("vulns", [])
    ]
    return Answer(sum("vulns" in part for part in parts), tuple(found))


def asked(parts: list[Part], *more: str) -> tuple[str, str]:
    """What pip-audit printed, and why it could not ask."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.writelines(f"{part.name}=={part.version}\n" for part in parts)
        listing.flush()
        python = Path(sys.prefix) / "linter/bin/python"  # an environment of its own: pyproject.toml says why
        command = [
            str(python), "-I", "-m", "pip_audit", "--requirement", listing.name, "--no-deps", "--disable-pip",
            "--progress-spinner=off", "--timeout=5", "--format=json", *more,
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        except subprocess.TimeoutExpired:
            return "", "no answer within two minutes"
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return done.stdout, said[-1] if said else "nothing was said"


def audit(*more: str) -> int:
    """0 also when the service cannot be asked, unless ``--strict``: then it says so, and nothing is known."""
    strict, parts = "--strict" in more, [part for part in python_parts() if part.name != NAME]
    text, why = asked(parts, *(word for word in more if word != "--strict"))
    status, said = verdict(read_answer(text) if text else None, len(parts), strict=strict, why=why)
    print(said)
    return status


def verdict(answer: Answer | None, parts: int, *, strict: bool, why: str = "") -> tuple[int, str]:
    """Exit status, and what is said of so many parts. None: nobody answered."""
    if answer is not None and answer.found:
        return 1, "\n".join(answer.found)
    if answer is not None and answer.known == parts:
        return 0, f"None of {parts} packages that ship has a known vulnerability."
    lacking = f"could not be asked: {why[-200:]}" if answer is None else f"knew only {answer.known} of {parts} packages"
    said = f"NOT AUDITED: the vulnerability service {lacking}. Nothing is known of the rest; ask again with a network."
    return int(strict), said


def main(verb: str, *more: str) -> int:
    if verb == "sbom":
        Path(more[0]).write_text(sbom() + "\n", "utf-8")
        return 0
    return licences(*more) if verb == "licences" else audit(*more)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("licences", "sbom", "audit"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
