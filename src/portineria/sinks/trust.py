# SPDX-License-Identifier: Apache-2.0
"""Whom a sink believes, and who it is itself: TLS 1.2 or newer, the name always checked."""

import os
import ssl
import tempfile
from collections.abc import Mapping

from portineria.sinks.setting import BadSetting


def client_tls(settings: Mapping[str, str]) -> ssl.SSLContext:
    """``authorities`` instead of the system's, where given; ``certificate`` and ``key`` are ours. Raise BadSetting."""
    given = settings.get("authorities") or None
    context = ssl.create_default_context(cadata=given)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.get("certificate") or settings.get("key"):
        _load(context, settings.get("certificate", ""), settings.get("key", ""))
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL reads a chain from a file only: it is of this user alone, and gone before the first connection."""
    file, name = tempfile.mkstemp()
    try:
        with os.fdopen(file, "w") as chain:
            chain.write(f"{certificate}\n{key}\n")
        context.load_cert_chain(name)
    except ssl.SSLError as error:
        raise BadSetting("key", f"does not belong to the certificate: {error.reason}") from error
    finally:
        os.unlink(name)
