# SPDX-License-Identifier: Apache-2.0
"""What browsers load besides pages: gathered from the installed packages into the state folder, under names that
contain their hash, with a compressed copy beside each. So browsers may keep them for ever.

Done at start and not when the package is built: it is the same for a wheel and for an editable checkout.
"""

import hashlib
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from django.contrib.staticfiles.finders import get_finders
from django.core.files.storage import Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

from portineria.control.settings.start import current

_STAMP = ".gathered-from"
# What packages carry for pages that we do not have.
_UNUSED = [
    "admin/*",
    "django_htmx/ext/*", "django_htmx/htmax-*", "django_htmx/htmx-4*", "django_htmx/htmx-2.js",
]  # fmt: skip


class HashedNames(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Also of the modules that a module imports. What a file names is finished before the file itself: each is read
    once. Django reads all of them again until no name changes, which for ten modules in a row is ten times.
    """

    support_js_module_import_aggregation = True

    def _post_process(
        self, paths: dict[str, Any], adjustable: list[str], finished: dict[str, str]
    ) -> Iterator[tuple[str, str | None, Any, bool]]:
        if finished:  # Django's second round: nothing changes any more
            yield from ((name, finished[name], True, False) for name in paths)
            return
        self._waiting, self._adjustable = dict(paths), adjustable
        for name in paths:
            yield from self._finish(name, finished)

    def _finish(self, name: str, finished: dict[str, str]) -> Iterator[tuple[str, str | None, Any, bool]]:
        if source := self._waiting.pop(name, None):
            yield from super()._post_process({name: source}, self._adjustable, finished)

    def _stored_name(self, name: str, finished: dict[str, str]) -> str:
        named = posixpath.normpath(name)
        for _, _, outcome, _ in self._finish(named, finished):
            if isinstance(outcome, Exception):
                raise outcome
        if named not in finished and self.exists(named):
            raise ValueError(f"{named} names itself, or what names it")
        return str(super()._stored_name(name, finished))


def static_root(state: Path) -> Path:
    return state / "static"


def publish_static_files() -> bool:
    """Return whether anything had to be done. Everything is in place, or what was there before stays."""
    root, wanted = static_root(current().state), _fingerprint()
    stamp = root / _STAMP
    if stamp.exists() and stamp.read_text("ascii") == wanted:
        return False
    fresh = Path(mkdtemp(prefix="static-", dir=root.parent))
    try:
        _gather(fresh)
        (fresh / _STAMP).write_text(wanted, "ascii")
        if root.exists():
            root.rename(fresh / ".before")
        fresh.rename(root)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(root / ".before", ignore_errors=True)
    return True


def _sources() -> Iterator[tuple[str, Storage]]:
    """In a steady order; of two files with one name the first is meant, as Django has it."""
    found: dict[str, Storage] = {}
    for finder in get_finders():
        for path, storage in finder.list(_UNUSED):
            found.setdefault(path, storage)
    yield from sorted(found.items(), key=lambda one: one[0])


def _fingerprint() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path, storage in _sources():
        digest.update(f"{path}\0{storage.size(path)}\0".encode())
        with storage.open(path) as file:
            digest.update(file.read())
    return digest.hexdigest()


def _gather(folder: Path) -> None:
    target, paths = HashedNames(location=folder), {}
    for path, storage in _sources():
        with storage.open(path) as file:
            target.save(path, file)
        paths[path] = (target, path)
    for _, _, outcome in target.post_process(paths):
        if isinstance(outcome, Exception):  # a file that names one which does not exist
            raise outcome
