# SPDX-License-Identifier: Apache-2.0
"""NATS' way of writing Ed25519 keys (ADR-14 and github.com/nats-io/nkeys): base32 with a prefix and a checksum.

The server sends a nonce, whoever connects signs it: the seed never leaves its file.
"""

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.process.settings import BadSettings

_SEED, _USER = 18 << 3, 20 << 3  # so that base32 begins with SU, and U
_SEED_BYTES, _SUM_BYTES = 34, 2
_SEED_CHARACTERS = 58  # of 36 bytes, without padding


def public_text(key: Ed25519PrivateKey) -> str:
    return _text(bytes([_USER]) + key.public_key().public_bytes_raw())


def seed_text(key: Ed25519PrivateKey) -> str:
    return _text(bytes([_SEED | _USER >> 5, _USER << 3 & 0xFF]) + key.private_bytes_raw())


def _text(data: bytes) -> str:
    return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(_SUM_BYTES, "little")).decode().rstrip("=")


def parse_seed(text: str, where: str) -> Ed25519PrivateKey:
    """Raise BadSettings, without the text: it may be a slip of the pen in the right seed."""
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8)) if len(text) == _SEED_CHARACTERS else b""
    except (binascii.Error, ValueError):
        data = b""
    body, check = data[:-_SUM_BYTES], data[-_SUM_BYTES:]
    right = len(body) == _SEED_BYTES and binascii.crc_hqx(body, 0).to_bytes(_SUM_BYTES, "little") == check
    if not right or body[:2] != bytes([_SEED | _USER >> 5, _USER << 3 & 0xFF]):
        raise BadSettings(f"{where} holds no seed of a NATS user (SU…, {_SEED_CHARACTERS} characters)")
    return Ed25519PrivateKey.from_private_bytes(body[2:])


def read_seed(path: Path) -> Ed25519PrivateKey:
    """Raise BadSettings also where others than its owner may read it."""
    try:
        with path.open(encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise BadSettings(f"{path} is a secret that others may read: chmod 600 {path}")
            text = file.read(256)
    except OSError as error:
        raise BadSettings(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"{path} holds no seed") from error
    return parse_seed(text.strip(), str(path))


def kept_seed(path: Path) -> Ed25519PrivateKey:
    """The seed of this file, made when there is none."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(seed_text(Ed25519PrivateKey.generate()) + "\n")
    return read_seed(path)
