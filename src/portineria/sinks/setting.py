# SPDX-License-Identifier: Apache-2.0
"""What a sink is told by whoever sets it up, and what a value must look like. Pure."""

import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from portineria.core.errors import Invalid

TEXT_CHARACTERS = 512
PEM_CHARACTERS = 65_536  # a bundle of forty authorities
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Shape(StrEnum):
    HOST = "host"
    HOSTS = "hosts"  # HOST:PORT each, with commas between them
    PORT = "port"
    ADDRESS = "address"  # https; http on loopback only
    CHOICE = "choice"
    WORD = "word"  # an index, a table, an id: what stands in an address as it is
    MAIL = "mail"
    LIST = "list"  # texts with commas between them
    MAPPING = "mapping"  # TOML that says where things stand in another system's answers
    CERTIFICATES = "certificates"  # PEM
    SECRET = "secret"  # noqa: S105  # the name of a shape
    KEY = "key"  # PEM of a private key, not encrypted

    @property
    def secret(self) -> bool:
        return self in (Shape.SECRET, Shape.KEY)

    @property
    def whom(self) -> bool:
        """It says to whom events go."""
        return self in (Shape.HOST, Shape.HOSTS, Shape.ADDRESS)

    @property
    def long(self) -> bool:
        """Of more than one line."""
        return self in (Shape.CERTIFICATES, Shape.KEY, Shape.MAPPING)


class BadSetting(Invalid):
    """``setting`` is its name."""

    code = "sinks.setting"

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    shape: Shape
    needed: bool = True
    default: str = ""
    choices: tuple[str, ...] = ()

    def check(self, value: str) -> None:
        """Raise BadSetting."""
        most = PEM_CHARACTERS if self.shape.long else TEXT_CHARACTERS
        if not (len(value) <= most and _fits(self, value) if value else not self.needed):
            raise BadSetting(self.name, f"no {self.shape}")


def cleaned(settings: Iterable[Setting], given: Mapping[str, str]) -> dict[str, str]:
    """Every setting with its value, or its default. Raise BadSetting, for one that does not exist too."""
    known = {setting.name: setting for setting in settings}
    if unknown := given.keys() - known.keys():
        raise BadSetting(min(unknown), "no such setting")
    found = {name: given.get(name, "").strip() or setting.default for name, setting in known.items()}
    for name, value in found.items():
        known[name].check(value)
    return found


def is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))
    return True


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 65535


def _is_place(text: str) -> bool:
    """HOST:PORT; an IPv6 address stands in brackets."""
    host, _, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    return is_host(bare) and (bare != host or ":" not in host) and _is_port(port)


def is_address(text: str) -> bool:
    """An https address without a name, a password or a fragment; plain http on this machine only."""
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = parts.scheme == "http" and host in ("localhost", "127.0.0.1", "::1")
    clean = text.isascii() and text.isprintable() and " " not in text and "@" not in parts.netloc
    return (parts.scheme == "https" or plain) and is_host(host) and clean and not parts.fragment


def _fits(setting: Setting, value: str) -> bool:
    match setting.shape:
        case Shape.HOST:
            return is_host(value)
        case Shape.HOSTS:
            return all(_is_place(one) for one in value.split(","))
        case Shape.PORT:
            return _is_port(value)
        case Shape.ADDRESS:
            return is_address(value)
        case Shape.CHOICE:
            return value in setting.choices
        case Shape.WORD:
            return _WORD.fullmatch(value) is not None
        case Shape.MAIL:
            return _is_mail(value)
        case Shape.LIST:
            return value.isprintable()
        case Shape.MAPPING:
            return _parses(lambda: tomllib.loads(value))
        case Shape.SECRET:
            return value.isascii() and value.isprintable()
        case Shape.CERTIFICATES:
            return _parses(lambda: x509.load_pem_x509_certificates(value.encode()))
        case Shape.KEY:
            return _parses(lambda: load_pem_private_key(value.encode(), None))


def _is_mail(value: str) -> bool:
    local, at, domain = value.rpartition("@")
    plain = value.isascii() and value.isprintable() and not set(value) & set(' <>(),;:\\"[]')
    return bool(at and local) and "@" not in local and plain and is_host(domain)


def _parses(work: Callable[[], object]) -> bool:
    try:
        work()
    except (ValueError, TypeError, RecursionError):  # TypeError: a key that needs a password
        return False
    return True
