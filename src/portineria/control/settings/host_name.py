# SPDX-License-Identifier: Apache-2.0
"""By which name browsers reach the console. WebAuthn refuses passkeys where the address is a number."""

import os
import re
import tomllib
from urllib.parse import urlsplit

import msgspec

from portineria.control.settings.server import FILE, PREFIX, ServerSettings, check, is_loopback, is_number
from portineria.control.settings.start import in_the_environment
from portineria.process.settings import BadSettings

MEANS = "Passkeys will not work: browsers refuse them where the address is a number. An authenticator app (TOTP) works."
REMEDY = "Give the console a host name: portineria setup --bare --host NAME, then start the server again."
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"""^(public_url[ \t]*=[ \t]*)("[^"\n]*"|'[^'\n]*')""", re.MULTILINE)
_CHARACTERS = 253  # RFC 1035, 2.3.4, without the dot at the end


def numbered(settings: ServerSettings) -> str:
    """What is to be said about the address; nothing where it is a name."""
    return f"public_url {settings.public_url} is a number, no host name" if is_number(settings.host) else ""


def is_host_name(text: str) -> bool:
    """Browsers read what ends in a number as an address: URL Standard, 3.5."""
    labels = text.split(".")
    return len(text) <= _CHARACTERS and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal()


def give(settings: ServerSettings, host: str) -> str:
    """Write public_url with this name into portineria.toml, and return it; port and everything else stay as they are.

    Raise BadSettings.
    """
    if not is_host_name(host):
        raise BadSettings(f"--host: {host!r} is no host name; write like gate.example.com, without https:// and port")
    if in_the_environment("PUBLIC_URL"):
        raise BadSettings(f"--host: {PREFIX}PUBLIC_URL stands in the environment and would win; change it there")
    old = urlsplit(settings.public_url)
    plain = not settings.secure and is_loopback(host)
    url = f"{'http' if plain else 'https'}://{host.lower()}{f':{old.port}' if old.port else ''}"
    check(msgspec.structs.replace(settings, public_url=url))
    _write(settings, url)
    return url


def _write(settings: ServerSettings, url: str) -> None:
    file = settings.state / FILE
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = file.read_text("utf-8") if file.exists() else ""
    new, found = _VALUE.subn(lambda line: f'{line[1]}"{url}"', text, count=1)
    if not found:
        new = f'public_url = "{url}"\n{text}'  # before the first table
    try:
        understood = tomllib.loads(new) == tomllib.loads(text) | {"public_url": url}
    except tomllib.TOMLDecodeError:  # it stands there twice now
        understood = False
    if not understood:
        raise BadSettings(f'{file}: write public_url = "{url}" into it yourself; how it stands there is not understood')
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    beside = file.with_name(f".{FILE}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(new)
        out.flush()
        os.fsync(out.fileno())
    beside.chmod(mode)
    beside.replace(file)
