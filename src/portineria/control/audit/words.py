# SPDX-License-Identifier: Apache-2.0
"""Which words an event is found by, the same on every database: the database only finds words that are equal.

A word is a run of letters and digits, folded (case, width, the accents of Latin, Greek and Cyrillic). Scripts without
spaces are cut into their symbols and pairs of neighbours, so that a search needs no dictionary. Pure.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from portineria.core.event import Value

WORD_CHARACTERS = 48  # what is longer is found by its beginning
MOST_WORDS = 1000  # of one event; 32 fields of 512 characters never hold more worth finding
QUERY_WORDS = 12
_ACCENTED_BELOW = 0x0530  # Latin, Greek and Cyrillic: an accent there is a matter of the keyboard
_ID = re.compile(r"[a-z]{2,4}_[a-z2-7]{16}")
# Han with its extensions, hiragana, katakana, and the marks that go on a word of theirs.
_UNSPACED = "\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_PART = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
# What nobody remembers: hashes, keys, counters and moments. They would be most of the index.
_NEVER = {"epoch", "previous_epoch", "boot", "previous_boot", "key", "lookup", "order", "stream"}
_NEVER_ENDING = ("_at", "sha256", "_ms", "_seq")
# What somebody searched for is not found by those words: whoever is erased would be, in others' searches.
NOT_FOUND_BY_WORDS = frozenset({"audit.register.read"})


def words(text: str) -> list[str]:
    """In their order, each once; empty for a text without letters and digits. Also whole ids, which hold "_"."""
    found: dict[str, None] = {}
    folded = _folded(text)
    for part in _ID.findall(folded):
        found[part] = None
    for part in _PART.findall(_ID.sub(" ", folded)):
        for word in _cut(part):
            found[word] = None
    return list(found)


def query_words(text: str) -> list[str]:
    """What has to be found together; of unspaced scripts the pairs alone where there are pairs."""
    wanted: dict[str, None] = {}
    folded = _folded(text)
    for part in [*_ID.findall(folded), *_PART.findall(_ID.sub(" ", folded))]:
        cut = _cut(part) if "_" not in part else [part]
        wanted |= dict.fromkeys([word for word in cut if len(word) == 2] if _unspaced(part) and len(part) > 1 else cut)
    return list(wanted)[:QUERY_WORDS]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    kept, base = [], 0
    for symbol in unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold()):
        if not unicodedata.combining(symbol):
            base = ord(symbol)
        elif base < _ACCENTED_BELOW:
            continue
        kept.append(symbol)
    return unicodedata.normalize("NFC", "".join(kept))


def _unspaced(part: str) -> bool:
    return not part.isascii() and re.match(f"[{_UNSPACED}]", part) is not None


def _cut(part: str) -> list[str]:
    if not _unspaced(part):
        return [part[:WORD_CHARACTERS]]
    return [*part, *(part[at : at + 2] for at in range(len(part) - 1))]


def of_column(public_id: str) -> str:
    """The word for being about this thing, or done by this person; its plain id is found wherever it is mentioned."""
    return f"_{public_id}"


def of_code(code: str) -> str:
    return "_c_" + re.sub(r"\W", "_", code)


def event_words(
    *, organisation: str, code: str, actor: str, columns: Iterable[str], fields: Mapping[str, Value],
    personal: Iterable[str],
) -> list[str]:  # fmt: skip
    """``columns``: ids by which it is filtered; ``fields``: the public ones; ``personal``: values that were not erased.

    The same event gives the same words: what is taken out of the index is computed anew.
    """
    found = dict.fromkeys([of_column(organisation), of_code(code), actor])
    if actor.startswith("per_"):
        found[of_column(actor)] = None
    found |= dict.fromkeys(of_column(public_id) for public_id in columns if public_id)
    if code not in NOT_FOUND_BY_WORDS:
        texts = [value for name, value in fields.items() if isinstance(value, str) and _worth_finding(name)]
        for text in [*sorted(texts), *sorted(personal)]:
            found |= dict.fromkeys(words(text))
    return list(found)[:MOST_WORDS]


def _worth_finding(name: str) -> bool:
    return name not in _NEVER and not name.endswith(_NEVER_ENDING)
