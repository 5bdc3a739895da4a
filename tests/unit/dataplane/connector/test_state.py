# SPDX-License-Identifier: Apache-2.0
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.dataplane.connector.state import (
    BadState,
    BadUrl,
    NoAccess,
    NoServer,
    NotSignedIn,
    OtherRoot,
    Server,
    Store,
    home,
    origin,
    unusable,
)
from portineria.dataplane.connector.text import text_of

KEY = Ed25519PrivateKey.generate()
TURIN = Server("https://turin.example", "a" * 64, 'Tech "T" nician', "2026-11-23T00:00:00Z", ca="/ca file.pem")
NAGOYA = Server("https://nagoya.example:8443", "b" * 64, "技術者", "2026-11-23T00:00:00Z", proxy="none")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state")


def test_the_server_signed_in_to_last_is_the_default(store: Store) -> None:
    store.save(TURIN, KEY, "first")
    store.save(NAGOYA, KEY, "second")
    assert store.server() == NAGOYA
    assert store.server("https://turin.example/some/page") == TURIN
    assert store.server("turin.example") == TURIN
    assert [store.credential(server.url)[1] for server in (TURIN, NAGOYA)] == ["first", "second"]


def test_keys_and_tokens_are_for_their_owner_alone(store: Store) -> None:
    store.save(TURIN, KEY, "token")
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_signing_out_forgets_the_key_and_keeps_the_pin(store: Store) -> None:
    store.save(TURIN, KEY, "token")
    store.sign_out(TURIN.url)
    with pytest.raises(NotSignedIn):
        store.credential(TURIN.url)
    with pytest.raises(OtherRoot):
        store.check_pin(TURIN.url, "c" * 64)


def test_only_forgetting_lets_another_root_in(store: Store) -> None:
    store.save(TURIN, KEY, "token")
    store.forget(TURIN.url)
    store.check_pin(TURIN.url, "c" * 64)
    with pytest.raises(NoServer):
        store.server()


def test_nothing_is_known_before_the_first_sign_in(store: Store) -> None:
    with pytest.raises(NoServer):
        store.server()
    with pytest.raises(NoServer):
        store.server("https://turin.example")


@pytest.mark.parametrize(
    "content",
    ["default = ", 'default = "x"\nunknown = 1', '[server."x"]\nurl = "x"', "default = 7"],
    ids=["cut short", "an unknown field", "half a server", "another type"],
)
def test_a_damaged_file_is_named(store: Store, content: str) -> None:
    store.folder.mkdir()
    (store.folder / "servers.toml").write_text(content)
    with pytest.raises(BadState, match=r"servers\.toml"):
        store.server()


def test_a_damaged_key_is_named(store: Store) -> None:
    store.save(TURIN, KEY, "token")
    [pem] = store.folder.rglob("*.pem")
    pem.write_text("no key")
    with pytest.raises(BadState, match=pem.name):
        store.credential(TURIN.url)


def test_files_that_cannot_be_used_are_told_apart(store: Store) -> None:
    denied = unusable("/x/servers.toml", PermissionError(13, "Permission denied"))
    assert isinstance(denied, NoAccess)
    assert "--state DIR" in (text_of(denied.code, why=str(denied)) or "")
    store.folder.write_text("a file where a folder is needed")
    for use in (store.server, lambda: store.save(TURIN, KEY, "token"), lambda: store.credential(TURIN.url)):
        with pytest.raises(BadState, match="cannot be used: Not a directory") as caught:
            use()
        assert "[Errno" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("portineria.example", "https://portineria.example"),
        ("https://Portineria.example/machines/?x=1", "https://portineria.example"),
        ("http://localhost:8443", "http://localhost:8443"),
        ("http://[::1]:8443/", "http://[::1]:8443"),
    ],
)
def test_an_address_is_cut_down_to_its_server(given: str, kept: str) -> None:
    assert origin(given) == kept


@pytest.mark.parametrize(
    "given", ["http://portineria.example", "ftp://x", "https://", "https://x:notaport", "file:///etc"]
)
def test_an_address_that_would_not_be_safe_is_refused(given: str) -> None:
    with pytest.raises(BadUrl):
        origin(given)


def test_two_servers_never_share_a_key_file(store: Store) -> None:
    store.save(Server("https://a-8443", "a" * 64, "", ""), KEY, "one")
    store.save(Server("https://a:8443", "a" * 64, "", ""), KEY, "other")
    assert store.credential("https://a-8443")[1] == "one"


def test_the_state_lies_where_each_system_keeps_such_things() -> None:
    assert home({"PORTINERIA_HOME": "/x"}, "linux") == Path("/x")
    assert home({"XDG_CONFIG_HOME": "/x"}, "linux") == Path("/x/portineria")
    assert home({"APPDATA": "/roaming", "XDG_CONFIG_HOME": "/x"}, "win32") == Path("/roaming/portineria")
    assert home({}, "darwin") == Path.home() / ".config/portineria"
