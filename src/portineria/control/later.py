# SPDX-License-Identifier: Apache-2.0
"""Addresses that most processes never serve: their modules are loaded with the first request below them."""

from django.urls import URLResolver
from django.urls.resolvers import RoutePattern
from django.utils.datastructures import MultiValueDict
from django.utils.translation import get_language


class Later(URLResolver):
    """Django loads every address to find one by its name. These have paths that their callers know, and no names; with
    them the schemas of two interfaces would be built at each start, which takes longer than the rest of it.
    """

    def __init__(self, below: str, module: str) -> None:
        name = module.split(".")[-2]
        super().__init__(RoutePattern(below), module, app_name=name, namespace=name)

    def _populate(self) -> None:
        language = get_language()
        self._reverse_dict[language] = MultiValueDict()
        self._namespace_dict[language] = {}  # type: ignore[attr-defined]
        self._app_dict[language] = {}  # type: ignore[attr-defined]
        self._populated = True
