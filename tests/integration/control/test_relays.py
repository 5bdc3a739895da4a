# SPDX-License-Identifier: Apache-2.0
"""A relay is its address: gateways add what they do not know and replace nothing."""

import msgspec
import pytest

from portineria.control.estate.models import Relay
from portineria.control.estate.relays import settle_relays
from portineria.control.settings import start as settings_start
from tests.integration.control.world import World

pytestmark = pytest.mark.django_db


def named(monkeypatch: pytest.MonkeyPatch, *relays: str) -> dict[str, str]:
    """Start with these relays in the settings; return the names of those in use by their addresses, in order."""
    settings = msgspec.structs.replace(settings_start.current(), relays=list(relays))
    monkeypatch.setattr(settings_start, "_used", [settings])
    return {str(row): row.public_id for row in settle_relays()}


def test_a_moved_relay_is_another_one_and_an_old_address_keeps_its_name(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    before = named(monkeypatch, "127.0.0.1:8443=gate.example:443")
    both = named(monkeypatch, "127.0.0.1:8443=new.example:443", "127.0.0.1:8444=gate.example:443")
    assert list(both) == ["new.example:443", "gate.example:443"]
    assert both["gate.example:443"] == before["gate.example:443"] != both["new.example:443"]
    after = named(monkeypatch, "127.0.0.1:8443=new.example:443")
    assert after["new.example:443"] == both["new.example:443"]
    assert Relay.objects.get(host="gate.example").retired_at is not None
    again = named(monkeypatch, "127.0.0.1:8443=gate.example:443")
    assert again == before
