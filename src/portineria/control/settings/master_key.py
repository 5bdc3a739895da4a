# SPDX-License-Identifier: Apache-2.0
"""The key that wraps every other: from the environment, or from a file that only its owner may read."""

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portineria.control.settings.start import current, master_key_from_environment
from portineria.process.settings import BadSettings

FILE = "master.key"
_BYTES = 32  # AES-256


class NoMasterKey(BadSettings):
    code = "settings.no-master-key"


def master_key() -> bytes:
    """Raise NoMasterKey before ``initialise`` made one."""
    text = master_key_from_environment()
    path = current().state / FILE
    if text is None:
        if not path.exists():
            raise NoMasterKey(f"{path} does not exist, and PORTINERIA_MASTER_KEY is not set")
        text = path.read_text("ascii")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise BadSettings("the master key is not base64") from error
    if len(key) != _BYTES:
        raise BadSettings(f"the master key has {len(key)} bytes, {_BYTES} are needed")
    return key


def make_master_key(state: Path) -> None:
    """Write a new one unless there is one; never replaces any: what it wraps would be lost."""
    if master_key_from_environment() is not None or (state / FILE).exists():
        return
    text = base64.b64encode(secrets.token_bytes(_BYTES))
    handle = os.open(state / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())


def derive(purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), _BYTES, salt=None, info=purpose.encode()).derive(master_key())
