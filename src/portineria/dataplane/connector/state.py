# SPDX-License-Identifier: Apache-2.0
"""What the connector remembers between two runs: servers, the root pinned for each, and a key and token per server."""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec import Meta

from portineria.core.errors import Denied, Invalid, NotFound

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class BadState(Invalid):
    code = "state"


class NoAccess(BadState):
    """The message is the file or folder that this account may not use."""

    code = "state.access"


class BadUrl(Invalid):
    code = "server.url"


class NoServer(NotFound):
    code = "server.none"


class NotSignedIn(Denied):
    code = "login.none"


class OtherRoot(Denied):
    code = "server.other-root"


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One server this computer has been signed in to."""

    url: str
    root_spki_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]  # pinned at the first sign-in
    person: str
    expires_at: str
    ca: str = ""
    proxy: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    default: str = ""
    server: dict[str, Server] = {}


def home(environment: Mapping[str, str], platform: str) -> Path:
    """Where the connector keeps its state unless told otherwise."""
    if chosen := environment.get("PORTINERIA_HOME"):
        return Path(chosen)
    if platform == "win32":
        return Path(environment.get("APPDATA") or Path.home() / "AppData/Roaming") / "portineria"
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "portineria"


def origin(url: str) -> str:
    """``scheme://host[:port]`` of a server; raise BadUrl for http to anything but this computer."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    try:
        port = parts.port
    except ValueError as error:
        raise BadUrl(f"{url}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUrl(f"{url}: a server is written https://name")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise BadUrl(f"{url}: http is allowed to this computer only; write https")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "servers.toml"

    def server(self, url: str | None = None) -> Server:
        """The named server, else the one signed in to last; raise NoServer."""
        known = self._read()
        wanted = origin(url) if url else known.default
        if wanted not in known.server:
            raise NoServer(f"not signed in to {wanted}" if wanted else "not signed in to any server")
        return known.server[wanted]

    def check_pin(self, url: str, root_spki_sha256: str) -> None:
        known = self._read().server.get(url)
        if known is not None and known.root_spki_sha256 != root_spki_sha256:
            raise OtherRoot(f"{url} shows the root {root_spki_sha256}, pinned is {known.root_spki_sha256}")

    def save(self, server: Server, key: Ed25519PrivateKey, token: str) -> None:
        """Remember a sign-in and make it the default; raise OtherRoot when another root is pinned for this server."""
        self.check_pin(server.url, server.root_spki_sha256)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._write_secret(self._secret(server.url, "pem"), pem)
        self._write_secret(self._secret(server.url, "token"), token.encode())
        self._write(_File(server.url, {**self._read().server, server.url: server}))

    def credential(self, url: str) -> tuple[Ed25519PrivateKey, str]:
        """The key and the token of a sign-in; raise NotSignedIn."""
        try:
            key = load_pem_private_key(self._secret(url, "pem").read_bytes(), None)
            token = self._secret(url, "token").read_text()
        except FileNotFoundError as error:
            raise NotSignedIn(f"not signed in to {url}") from error
        except OSError as error:
            raise unusable(self._secret(url, "pem"), error) from error
        except ValueError as error:
            raise BadState(f"{self._secret(url, 'pem')}: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadState(f"{self._secret(url, 'pem')} holds a key of another kind")
        return key, token

    def device_key(self, *, make: bool = False) -> Ed25519PrivateKey | None:
        """This computer's own, the same for every server; None where none was made. Raise BadState."""
        path = self.folder / "device.pem"
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except FileNotFoundError:
            if not make:
                return None
            key = Ed25519PrivateKey.generate()
            self._write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        except OSError as error:
            raise unusable(path, error) from error
        except ValueError as error:
            raise BadState(f"{path}: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadState(f"{path} holds a key of another kind")
        return key

    def sign_out(self, url: str) -> None:
        """Forget key and token. The pin of the root stays."""
        for ending in ("pem", "token"):
            try:
                self._secret(url, ending).unlink(missing_ok=True)
            except OSError as error:
                raise unusable(self._secret(url, ending), error) from error

    def forget(self, url: str) -> None:
        """Forget everything about a server, the pin of its root included."""
        self.sign_out(url)
        known = self._read()
        left = {name: server for name, server in known.server.items() if name != url}
        self._write(_File("" if known.default == url else known.default, left))

    def _read(self) -> _File:
        try:
            return msgspec.convert(tomllib.loads(self._path.read_text("utf-8")), _File)
        except FileNotFoundError:
            return _File()
        except OSError as error:
            raise unusable(self._path, error) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
            raise BadState(f"{self._path}: {error}") from error

    def _write(self, known: _File) -> None:
        # A JSON string is a TOML basic string, also as a quoted key.
        lines = [f"default = {json.dumps(known.default)}"]
        for name, server in known.server.items():
            lines.append(f"\n[server.{json.dumps(name)}]")
            lines += [f"{field} = {json.dumps(getattr(server, field))}" for field in server.__struct_fields__]
        self._write_secret(self._path, ("\n".join(lines) + "\n").encode())

    def _secret(self, url: str, ending: str) -> Path:
        # The readable part alone would let two servers share a name: https://a-b and https://a:b.
        readable = re.sub(r"[^a-z0-9.]+", "-", url.lower())[:60]
        return self.folder / "keys" / f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:8]}.{ending}"

    def _write_secret(self, path: Path, content: bytes) -> None:
        new = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            new.replace(path)
        except OSError as error:
            raise unusable(path, error) from error


def unusable(path: Path | str, error: OSError) -> BadState:
    """What to raise for a file that cannot be read or written."""
    if isinstance(error, PermissionError):
        return NoAccess(str(path))
    return BadState(f"{path} cannot be used: {error.strerror or error}")
