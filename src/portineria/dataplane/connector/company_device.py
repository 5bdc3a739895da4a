# SPDX-License-Identifier: Apache-2.0
"""This computer's own key, by which a machine's owner knows it, and the proof that it is here.

It lies in a file that only its account may read. That keeps it from other accounts of this computer, not from a program
that runs as the same person.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.dataplane.connector.api import decode, encode
from portineria.wire.device_proof import covered


def proof(device: Ed25519PrivateKey | None, session_key: str) -> dict[str, str]:
    """What asking for a session says besides, of the key made for it (base64url); nothing without a device key."""
    if device is None:
        return {}
    signature = device.sign(covered(decode(session_key)))
    return {"device_key": public_text(device), "device_signature": encode(signature)}


def public_text(device: Ed25519PrivateKey) -> str:
    return encode(device.public_key().public_bytes_raw())
