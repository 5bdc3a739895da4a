# SPDX-License-Identifier: Apache-2.0
"""Wraps secrets with the master key before they reach the database, and says for whom they were wrapped."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portineria.control.settings.master_key import derive
from portineria.core.errors import Unavailable

_NONCE_BYTES = 12  # NIST SP 800-38D, 5.2.1.1; far fewer than 2**32 wraps per key


class WrongMasterKey(Unavailable):
    code = "identity.master-key"


def wrap(secret: bytes, *, purpose: str) -> bytes:
    """``purpose`` binds the wrapped bytes to their row: moved to another one they do not open."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(derive("portineria-vault")).encrypt(nonce, secret, purpose.encode())


def unwrap(wrapped: bytes, *, purpose: str) -> bytes:
    try:
        return AESGCM(derive("portineria-vault")).decrypt(
            wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], purpose.encode()
        )
    except (InvalidTag, ValueError) as error:
        raise WrongMasterKey(f"the master key does not open {purpose}") from error
