# SPDX-License-Identifier: Apache-2.0
"""What a company device signs to prove that a session begins from it."""

import hashlib

_LABEL = b"portineria-device.v1"


def covered(session_key: bytes) -> bytes:
    """Of the session's own key, which is made for one session and counts once."""
    return _LABEL + hashlib.sha256(session_key).digest()
