# SPDX-License-Identifier: Apache-2.0
"""What browsers keep for ever has its hash in its name, and crosses the line compressed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.test.utils import override_settings

from portineria.control.settings.start import current
from portineria.control.static_files import HashedNames, publish_static_files, static_root
from tests.integration.control.world import World

LONG = "max-age=315360000, public, immutable"
REFERENCE = re.compile(r"""(?:href|src)="(/static/[^"#]+)""")


def loaded_by(page: str) -> set[str]:
    return set(REFERENCE.findall(page))


def test_everything_a_page_loads_is_kept_for_ever_and_compressed(world: World) -> None:
    files = loaded_by(Client().get("/accounts/login/").content.decode())
    assert any("tabler" in name for name in files)
    assert any("htmx" in name for name in loaded_by(signed_in(world).get("/").content.decode()))
    for name in files:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", name), name
        answer, body = fetched(name, **{"Accept-Encoding": "gzip"})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, LONG), name
        assert answer.headers.get("Content-Encoding") == "gzip" or len(body) < 1000, name


def fetched(path: str, **headers: str) -> tuple[Any, bytes]:
    answer = Client().get(path, headers=headers)
    try:
        return answer, answer.getvalue()
    finally:
        answer.close()


def signed_in(world: World) -> Client:
    client = Client()
    client.force_login(world.owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_the_style_sheet_is_a_fraction_of_its_size_and_the_plain_name_is_not_served(world: World) -> None:
    [tabler] = [name for name in loaded_by(Client().get("/accounts/login/").content.decode()) if "tabler" in name]
    _, plain = fetched(tabler)
    _, sent = fetched(tabler, **{"Accept-Encoding": "gzip"})
    assert len(sent) * 5 < len(plain)
    assert Client().get("/static/vendor/tabler/tabler.css").status_code == 404


def test_a_module_names_the_modules_it_imports_by_their_hash(world: World) -> None:
    files = loaded_by(signed_in(world).get("/").content.decode())
    [module] = [name for name in files if re.search(r"/console\.\w+\.js$", name)]
    text = fetched(module)[1].decode()
    imported = re.findall(r"""import ?["'](\./[^"']+)["']""", text)
    assert len(imported) == 5
    for name in imported:
        assert re.search(r"\.[0-9a-f]{12}\.js$", name)
        assert fetched(f"/static/portineria/{name[2:]}")[0].status_code == 200


def test_gathering_again_does_nothing_until_a_file_changes(world: World) -> None:
    assert not publish_static_files()
    root = static_root(current().state)
    before = sorted(path.name for path in root.rglob("*"))
    (root / ".gathered-from").write_text("another version")
    assert publish_static_files()
    assert sorted(path.name for path in root.rglob("*")) == before
    assert list(root.parent.glob("static-*")) == []


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"broken.css": "body { background: url(missing.png) }"}, "broken"),
        ({"one.js": 'import { two } from "./two.js";', "two.js": 'import { one } from "./one.js";'}, "names itself"),
    ],
    ids=["to what does not exist", "in a circle"],
)
def test_a_reference_that_has_no_hash_stops_the_start_and_keeps_what_was_there(
    world: World, tmp_path: Path, files: dict[str, str], told: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    root = static_root(current().state)
    before = sorted(path.name for path in root.rglob("*"))
    finders = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    changed = override_settings(STATICFILES_DIRS=[tmp_path], STATICFILES_FINDERS=finders)
    with changed, pytest.raises(ValueError, match=told):
        publish_static_files()
    assert sorted(path.name for path in root.rglob("*")) == before
    assert list(root.parent.glob("static-*")) == []


def test_the_name_of_a_module_changes_with_what_it_imports_however_deep(world: World, tmp_path: Path) -> None:
    names = []
    for text in ("export const deep = 1;", "export const deep = 2;"):
        (tmp_path / "a.js").write_text('import { b } from "./b.js";')
        (tmp_path / "b.js").write_text('import { c } from "./folder/c.js";')
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder/c.js").write_text(text)
        target = HashedNames(location=tmp_path)
        list(target.post_process({name: (target, name) for name in ("a.js", "folder/c.js", "b.js")}))
        a, b, c = (target.hashed_files[name] for name in ("a.js", "b.js", "folder/c.js"))
        assert (tmp_path / a).read_text() == f'import {{ b }} from "./{b}";'
        assert (tmp_path / b).read_text() == f'import {{ c }} from "./{c}";'
        names.append({a, b, c})
    assert not set.intersection(*names)
