# SPDX-License-Identifier: Apache-2.0
"""Marks that nobody sees, by name: in a field that refused them, and shows them again, they are as unseen as ever."""

import unicodedata

from django.forms import Form
from django.utils.translation import ngettext

_MOST = 5


def unseen(text: str) -> list[str]:
    """Each once, as Unicode calls it: ``U+202E RIGHT-TO-LEFT OVERRIDE``. What a line or a blank is made of is none."""
    signs = dict.fromkeys(sign for sign in text if not sign.isprintable() and not sign.isspace())
    return [f"U+{ord(sign):04X} {unicodedata.name(sign, '')}".strip() for sign in signs]


def name_unseen(form: Form, refused: str | None) -> None:
    """Beside the field that was refused, or else beside each that has such marks."""
    for name in form.fields if refused is None else [refused]:
        typed = form[name].data
        if marks := unseen("".join(map(str, typed)) if isinstance(typed, list) else str(typed or "")):
            said = ngettext(
                "There is a mark in it that nobody sees: %(marks)s. Type the text again without it.",
                "There are marks in it that nobody sees: %(marks)s. Type the text again without them.",
                len(marks),
            )
            form.add_error(name, said % {"marks": ", ".join(marks[:_MOST])})
