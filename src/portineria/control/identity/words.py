# SPDX-License-Identifier: Apache-2.0
"""What people write about what they do: a reason, a note."""

from portineria.control.identity.services import BadField

_MOST = 500


def clean_words(text: str, field: str = "reason") -> str:
    """On one line. Others decide by what they read: what is not seen would turn it round (U+202E) or stand there for
    nothing. Raise BadField.
    """
    words = " ".join(text.split())
    if not 0 < len(words) <= _MOST or not words.isprintable():
        raise BadField(field, f"1 to {_MOST} printable characters")
    return words


def clean_remark(text: str) -> str:
    """Likewise, of what may be left out."""
    return clean_words(text) if text.strip() else ""
