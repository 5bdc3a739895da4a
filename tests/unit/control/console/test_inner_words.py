# SPDX-License-Identifier: Apache-2.0
"""Words of the protocols stay inside: people in a plant read of times and connections, not of leases and legs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from portineria.control import console

INNER = re.compile(r"\b(leases?|legs?)\b|リース", re.IGNORECASE)


@pytest.mark.parametrize("language", ["it", "ja"])
def test_no_text_of_the_console_uses_an_inner_word(language: str) -> None:
    path = Path(console.__path__[0]) / f"locale/{language}/LC_MESSAGES/django.po"
    with path.open("rb") as source:
        catalogue = read_po(source)
    texts = [text for row in catalogue if row.id for text in (*_forms(row.id), *_forms(row.string))]
    assert len(texts) > 1000
    assert [text for text in texts if INNER.search(text)] == []


def _forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())
