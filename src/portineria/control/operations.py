# SPDX-License-Identifier: Apache-2.0
"""What the command line does on the server itself: set up, and start Django for one command."""

import os
from dataclasses import dataclass
from pathlib import Path

from portineria.control.settings.master_key import make_master_key
from portineria.control.settings.server import ServerSettings, load
from portineria.control.settings.start import current, use


@dataclass(frozen=True, slots=True)
class Owner:
    person: str
    organisation: str
    invitation: str  # full address where the password is set


def open_state(state: Path) -> ServerSettings:
    """Start Django on an installation; call once per process and before importing models."""
    settings = load(state)
    use(settings)
    return settings


def initialise(state: Path) -> ServerSettings:
    """Make or bring up to date everything ``serve`` needs. Safe to repeat; raises BadSettings."""
    return set_up(load(state))


def set_up(settings: ServerSettings) -> ServerSettings:
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(settings.state, 0o700)
    # Before Django starts: it signs invitations and sessions with what is derived from this key.
    make_master_key(settings.state)
    use(settings)
    prepare()
    return settings


def join(settings: ServerSettings) -> None:
    """Start Django for one process of several, on an installation that ``portineria setup`` made.

    Raise NotSetUp, NoMasterKey, DatabaseAway, DatabaseNewer, DatabaseOlder. It changes no tables itself: which of
    several processes starts first is nobody's choice.
    """
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    use(settings)
    # These need Django to have started.
    from django.db import connections

    from portineria.control.installed import check_set_up
    from portineria.control.settings.master_key import master_key
    from portineria.control.static_files import publish_static_files
    from portineria.control.tables import check_tables, check_up_to_date

    master_key()
    check_tables()
    check_set_up()
    check_up_to_date()
    publish_static_files()
    connections.close_all()  # this thread may ask nothing any more


def prepare() -> None:
    """Files for browsers, tables, keys and relays, as the settings say."""
    from django.db import connections, transaction
    from django.utils import timezone

    from portineria import __version__
    from portineria.control.audit.services import record
    from portineria.control.estate.relays import settle_relays
    from portineria.control.identity import keys
    from portineria.control.identity.models import Installation
    from portineria.control.static_files import publish_static_files
    from portineria.control.statistics import refresh_statistics
    from portineria.control.tables import bring_up_to_date

    bring_up_to_date()
    publish_static_files()
    with transaction.atomic():
        installation, made = Installation.objects.get_or_create(pk=1)
        if made:
            record(
                "identity.installation.created",
                organisation=installation.public_id,
                actor="operator",
                installation=installation.public_id,
                version=__version__,
            )
        keys.make_missing(installation.public_id, timezone.now())
    settle_relays()
    refresh_statistics()
    connections.close_all()  # this thread may ask nothing any more


def first_owner(*, organisation: str, name: str, email: str, language: str = "", time_zone: str = "UTC") -> Owner:
    """The organisation and its first administrator. Needs ``initialise`` or ``open_state`` before."""
    from portineria.control.identity.authority import Operator
    from portineria.control.identity.first_run import create_owner, invite

    person = create_owner(
        actor=Operator(), organisation=organisation, name=name, email=email, language=language, time_zone=time_zone
    )
    path = invite(actor=Operator(), person=person.public_id)
    owner = person.memberships.select_related("organisation").get().organisation
    return Owner(person.public_id, owner.public_id, current().public_url.rstrip("/") + path)


def invite(*, email: str) -> str:
    """Return the full address where somebody who has no password yet sets one; raise NobodyThere, HasPassword."""
    from portineria.control.identity.authority import Operator
    from portineria.control.identity.first_run import invite_address

    path = invite_address(actor=Operator(), email=email)
    return current().public_url.rstrip("/") + path
