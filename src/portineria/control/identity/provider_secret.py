# SPDX-License-Identifier: Apache-2.0
"""By which this installation proves itself to an identity provider: under the master key, and bound to its row."""

from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.vault import unwrap, wrap


def wrapped(provider: str, secret: str) -> bytes:
    return wrap(secret.encode(), purpose=f"provider {provider}")


def secret_of(row: IdentityProvider) -> str:
    """Raise WrongMasterKey. Empty for a public client, which proves itself by PKCE alone."""
    kept = bytes(row.wrapped)
    return unwrap(kept, purpose=f"provider {row.public_id}").decode() if kept else ""
