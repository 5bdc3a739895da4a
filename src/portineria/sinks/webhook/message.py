# SPDX-License-Identifier: Apache-2.0
"""One event as one webhook, and its signature (Standard Webhooks 1.0.0). Pure."""

import base64
import binascii
import hashlib
import hmac

from portineria.sinks.outgoing import Outgoing
from portineria.sinks.record import encode, record
from portineria.sinks.setting import BadSetting

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)  # of a symmetric secret, as the specification wants it


def message(event: Outgoing) -> bytes:
    content = record(event)
    return encode({"type": event.code, "timestamp": content["time"], "data": content})


def secret_of(text: str) -> bytes:
    """Raise BadSetting."""
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise BadSetting("secret", "no base64") from error
    if len(secret) not in _SECRET_BYTES:
        raise BadSetting("secret", "24 to 64 bytes")
    return secret


def headers(secret: bytes, key: str, at_s: int, body: bytes) -> dict[str, str]:
    """``key`` is the same however often it is sent; it holds no dot, which divides what is signed."""
    digest = hmac.digest(secret, f"{key}.{at_s}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {
        "Content-Type": "application/json", "webhook-id": key, "webhook-timestamp": str(at_s),
        "webhook-signature": signature,
    }  # fmt: skip
