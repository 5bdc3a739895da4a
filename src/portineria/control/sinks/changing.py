# SPDX-License-Identifier: Apache-2.0
"""Changing a sink where it stands: what it has brought stays brought, its dead letters and pseudonyms stay its own."""

from collections.abc import Mapping

from django.db import transaction

from portineria.control.identity.authority import Actor, administers, require
from portineria.control.identity.services import NameTaken, clean_name
from portineria.control.sinks import secret
from portineria.control.sinks.models import Sink
from portineria.control.sinks.services import (
    NAME_CHARACTERS,
    BadSinkSetting,
    Wanted,
    check_opens,
    divided,
    locked,
    record,
)
from portineria.core.errors import Invalid, NotFound
from portineria.sinks.catalogue import kind_of
from portineria.sinks.setting import Shape

# What proves to whom it goes. No choice of a setting lets a secret go to somebody else, or in the clear.
_TRUST = "authorities"


class SecretsAgain(Invalid):
    """Kept ones would go to a receiver that was never told them, by the hand of somebody who never knew them."""

    code = "sinks.secrets-again"


def changeable(actor: Actor, public_id: str) -> Sink:
    """Raise NotFound, Denied, BadSinkSetting for a kind that this version does not know."""
    row = Sink.objects.filter(public_id=public_id).select_related("organisation").first()
    if row is None:
        raise NotFound(f"sink {public_id}")
    require(actor, row.organisation_id, administers)
    if kind_of(row.kind) is None:
        raise BadSinkSetting(f"there is no sink of kind {row.kind!r}")
    return row


@transaction.atomic
def change_sink(*, actor: Actor, sink: str, name: str, settings: Mapping[str, str], wanted: Wanted) -> Sink:
    """``settings``: all that are not secret; a secret that is left out stays, an empty one is forgotten.

    A batch on its way to the receiver that was counts for nothing: it goes to the new one too. Raise NotFound, Denied,
    BadSinkSetting, SecretsAgain, NoEventFits, NameTaken.
    """
    changeable(actor, sink)
    row = locked(actor, sink)
    name = clean_name(name, characters=NAME_CHARACTERS)
    wanted.check()
    if Sink.objects.filter(organisation=row.organisation_id, name=name).exclude(pk=row.pk).exists():
        raise NameTaken(f"sink {name!r}")
    before, kept = dict(row.settings), secret.secrets_of(row)
    row.settings, hidden = divided(row.kind, {**kept, **settings})
    _check_secrets(row, before, kept, settings)
    row.wrapped = secret.rewrapped(row, hidden)
    what = _changed(row, before, kept, hidden, name, wanted)
    row.name, row.personal, row.codes, row.severity = name, wanted.personal, list(wanted.codes), wanted.severity
    check_opens(row)
    if what:
        row.version, row.failures, row.error, row.failed_at = row.version + 1, 0, "", None
        row.save()
        record("sinks.sink.changed", actor, row, name=name, personal=str(row.personal), settings=" ".join(what))
    return row


def _check_secrets(row: Sink, before: Mapping[str, str], kept: Mapping[str, str], given: Mapping[str, str]) -> None:
    """A private key proves who we are and is never sent: it may stay whoever is at the other end."""
    kind = kind_of(row.kind)
    assert kind is not None  # noqa: S101  # changeable looked
    whom = {_TRUST} | {setting.name for setting in kind.settings if setting.shape.whom or setting.shape is Shape.PORT}
    moved = any(before.get(name, "") != row.settings.get(name, "") for name in whom)
    sent = [setting.name for setting in kind.settings if setting.shape is Shape.SECRET and kept.get(setting.name)]
    if moved and any(name not in given for name in sent):
        raise SecretsAgain(f"{' '.join(sent)} of {row.public_id}")


def _changed(
    row: Sink, before: Mapping[str, str], kept: Mapping[str, str], hidden: Mapping[str, str], name: str, wanted: Wanted
) -> list[str]:
    """Names of what is another now: for the register, which has no values of settings."""
    found = [one for one in row.settings if row.settings[one] != before.get(one, "")]
    found += [one for one in hidden if hidden[one] != kept.get(one, "")]
    asked = {
        "name": (row.name, name), "personal": (row.personal, wanted.personal),
        "severity": (row.severity, wanted.severity), "codes": (tuple(row.codes), wanted.codes),
    }  # fmt: skip
    return sorted(found) + [one for one, (old, new) in asked.items() if old != new]
