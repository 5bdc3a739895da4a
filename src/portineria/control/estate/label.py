# SPDX-License-Identifier: Apache-2.0
"""Words that machines of an organisation carry, by which rules name them. The table, and what such a word is.

A machine's *tag* is something else: what the plate on it says.
"""

import re
import unicodedata
from collections.abc import Iterable

from django.db import models

from portineria.control.identity.models import Organisation
from portineria.control.identity.services import BadField

WORD = 32
LABELS_PER_MACHINE = 16
_WORD = re.compile(rf"[^\W_][\w.-]{{0,{WORD - 1}}}")


class Label(models.Model):
    """It stays when no machine carries it any more: a rule may name it still."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="labels")
    word = models.CharField(max_length=WORD)

    class Meta:
        constraints = [models.UniqueConstraint(name="estate_label_word", fields=["organisation", "word"])]

    def __str__(self) -> str:
        return self.word


def clean_label(text: str) -> str:
    """In the one way in which it is written: NFKC and without capitals. Raise BadField."""
    word = unicodedata.normalize("NFKC", text.strip()[: 4 * WORD]).casefold()
    if not _WORD.fullmatch(word):
        raise BadField("labels", f"up to {WORD} letters, digits, dots and hyphens, not {word!r}", word=word[:WORD])
    return word


def clean_labels(texts: Iterable[str]) -> list[str]:
    """Each once, in order. Raise BadField."""
    words = sorted({clean_label(text) for text in texts})
    if len(words) > LABELS_PER_MACHINE:
        raise BadField("labels", f"at most {LABELS_PER_MACHINE}", word="")
    return words
