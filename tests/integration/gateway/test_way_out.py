# SPDX-License-Identifier: Apache-2.0
"""Out of the plant: through the proxy where there is one, and only to whom it was enrolled with."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.errors import PortineriaError
from portineria.wire.statement import Additions, OpeningKey, RelayAddress
from tests.integration.authority import Authority
from tests.integration.credentials import raw
from tests.integration.end import End, Refused
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway_process import GatewayProcess
from tests.integration.middlebox import ENCODED, squid
from tests.integration.process import eventually


@pytest.mark.parametrize("with_password", [False, True], ids=["open", "with a password"])
async def test_a_gateway_works_through_a_proxy(
    authority: Authority, device: Device, floor: Floor, tmp_path: Path, with_password: bool
) -> None:
    with squid(with_password=with_password) as proxy:
        url = proxy.url(ENCODED) if with_password else proxy.url()
        process = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:502"], proxy=url)
        authority.admit(process.gateway)
        await process.start()
        try:
            await authority.linked(process.gateway)
            end = End(authority, process.gateway, tmp_path)
            end.permit([asset_of(device)])
            stream = await end.open()
            await stream.say(b"through the proxy")
            assert await stream.heard(17) == b"through the proxy"
        finally:
            await process.end()


@pytest.mark.parametrize("kind", ["gateway", "relay", "signer"])
async def test_a_certificate_of_another_role_is_no_session(plant: Plant, kind: str) -> None:
    """The right key, ordered and ticketed, under a certificate of another issuer."""
    plant.end.permit([plant.asset])
    leaf = plant.authority.issue(kind, plant.end.session, plant.end.key.public_key())
    plant.end.chain.write_bytes(leaf.public_bytes(Encoding.PEM))
    with pytest.raises((PortineriaError, OSError, Refused)):
        await plant.end.open()
    assert plant.device.connections == []


async def test_a_relay_under_another_root_gets_no_link(plant: Plant, tmp_path: Path) -> None:
    """A rogue server on the way: right protocol, right name, other issuer."""
    rival = await Authority(tmp_path / "rival").start()
    try:
        impostor = RelayAddress(plant.authority.relay.address.relay, "127.0.0.1", rival.relay.address.port)
        process = GatewayProcess(plant.authority, tmp_path / "second", reach=[])
        pinned = process.state.load_pinned()
        trust = plant.authority.trust(process.gateway, relays=[impostor])
        process.state.save_pinned(pinned.__class__(pinned.root_spki_sha256, trust, pinned.enrolled_at))
        await process.start()
        try:
            await eventually(lambda: "leg.opened" in process.said, "the gateway sees who opens the path")
            assert "link.opened" not in process.said
        finally:
            await process.end()
    finally:
        await rival.close()


async def test_letters_may_add_relays_and_keys_but_replace_none(plant: Plant) -> None:
    authority = plant.authority
    await eventually(lambda: authority.found(plant.gateway, "gateway.time.set"))
    before = plant.process.state.load_pinned().trust
    spare = await Authority(plant.directory / "spare").start()
    try:
        known = authority.relay.address
        moved = RelayAddress(known.relay, "192.0.2.1", 1)
        added = RelayAddress("rel_aaaaaaaaaaaaaaaa", "127.0.0.1", spare.relay.address.port)
        replaced = OpeningKey("key_1", bytes(32))
        fresh = OpeningKey("key_2", raw(spare.opening_keys["key_1"]))
        authority.opening_keys["key_2"] = spare.opening_keys["key_1"]
        authority.send(plant.gateway, Additions(plant.gateway, [moved, added], [replaced, fresh]))
        event = await authority.event(plant.gateway, "gateway.trust.changed")
        assert event.fields == {"added": 2, "what": "rel_aaaaaaaaaaaaaaaa key_2"}
        after = plant.process.state.load_pinned().trust
        assert after.relays == [*before.relays, added]
        assert after.opening_keys == [*before.opening_keys, fresh]
        assert authority.events[plant.gateway][-1].context.recipient_key_id == "key_2"
    finally:
        await spare.close()
