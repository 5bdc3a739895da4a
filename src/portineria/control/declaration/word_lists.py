# SPDX-License-Identifier: Apache-2.0
"""Lists of words in a declared file, as they are kept. Raise BadField."""

from collections.abc import Callable, Iterable

from portineria.control.access.only_services import clean_services, words_of
from portineria.control.declaration import clean_fields
from portineria.control.estate.label import clean_labels


def labels(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(clean_labels(words))


def services(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(words_of(clean_services(words)))


def emails(field: str) -> Callable[[Iterable[str]], tuple[str, ...]]:
    clean = clean_fields.email(field)
    return lambda words: tuple(dict.fromkeys(map(clean, words)))
