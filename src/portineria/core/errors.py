# SPDX-License-Identifier: Apache-2.0
"""The only exceptions that cross a room. Subclasses live beside the code that raises them.

The message is for operators: precise, without secrets. What a person reads is looked up from ``code`` in
that person's language.
"""

from collections.abc import Mapping
from types import MappingProxyType


class PortineriaError(Exception):
    code = "portineria.error"
    values: Mapping[str, str | int] = MappingProxyType({})  # what that text names; only what its reader may know


class Denied(PortineriaError):
    """The subject is known to see the object, and may not do this to it."""

    code = "denied"


class NotFound(PortineriaError):
    """It does not exist, or it does not exist *for this subject*: the two are never told apart."""

    code = "not-found"


class Conflict(PortineriaError):
    """It cannot be done in the present state."""

    code = "conflict"


class Invalid(PortineriaError):
    """The asker can mend it: a field is missing, too long or contradictory."""

    code = "invalid"


class ProtocolError(PortineriaError):
    """Bytes that no honest peer sends. The connection they came on is closed."""

    code = "protocol"


class Unavailable(PortineriaError):
    """It may work later: nothing was changed, trying again is safe."""

    code = "unavailable"
