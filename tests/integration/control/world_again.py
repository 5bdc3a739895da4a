# SPDX-License-Identifier: Apache-2.0
"""The world of ``build`` for every test, built by the services once a process: its rows are kept in tables beside those
of the product, and put back from there. Two thousand tests would spend ten minutes on building it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from django.apps import apps
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, models, transaction

from portineria.control.audit import word_index
from portineria.control.audit.models import Event
from portineria.control.audit.services import words_of
from portineria.control.rest import limits
from portineria.control.settings.start import current
from tests.integration.control.world import World, build


def rest_a_minute() -> None:
    """Everybody may send as many requests again as after a minute without any."""
    limits._buckets = limits.Buckets(current().api_per_minute)


@dataclass(frozen=True)
class Kept:
    """``world`` as it was built, and the models of which it has rows."""

    world: World
    models: list[type[models.Model]]
    beside: str = "kept"  # what the names of its tables begin with

    def put_back(self) -> World:
        """Its rows again, in a database without any, and a copy of its characters. Nobody has done anything yet."""
        cache.clear()
        rest_a_minute()
        with transaction.atomic(), connection.cursor() as cursor:
            for model in self.models:
                table = connection.ops.quote_name(model._meta.db_table)
                cursor.execute(f"INSERT INTO {table} SELECT * FROM {_beside(model, self.beside)}")  # noqa: S608
            for statement in connection.ops.sequence_reset_sql(no_style(), self.models):
                cursor.execute(statement)
        world = copy.copy(self.world)
        for field in dataclasses.fields(world):
            if isinstance(value := getattr(world, field.name), models.Model):
                setattr(world, field.name, copy.deepcopy(value))
        world.gateway = copy.copy(world.gateway)
        return world


def keep(built: Callable[[], World] = build, beside: str = "kept") -> Kept:
    """Outside of any test, in the empty database."""
    every = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    before = {model for model in every if model._base_manager.exists()}
    world = built()
    grown = [model for model in every if model not in before and model._base_manager.exists()]
    with connection.cursor() as cursor:
        for model in grown:
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(f"CREATE TABLE {_beside(model, beside)} AS SELECT * FROM {table}")  # noqa: S608
    # Numbers go on: flush does not empty the index of words, and what is left in it must not get new events.
    call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=False, reset_sequences=False)
    return Kept(world, grown, beside)


def keep_more(kept: Kept, more: Callable[[World], World], beside: str) -> Kept:
    """A world that goes on from another one. Words of its events are taken out of the index, which flush does not
    empty: they would find what tests of the other one give the same numbers.
    """

    def built() -> World:
        world = kept.put_back()
        last = Event.objects.latest("pk").pk
        grown = more(world)
        word_index.remove((event.pk, words_of(event)) for event in Event.objects.filter(pk__gt=last))
        return grown

    return keep(built, beside)


def _beside(model: type[models.Model], prefix: str) -> str:
    return connection.ops.quote_name(f"{prefix}_{model._meta.db_table}")
