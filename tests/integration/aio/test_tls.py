# SPDX-License-Identifier: Apache-2.0
"""Who may stand at which end: every certificate role at every endpoint, with the TLS stack that ships."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.dataplane.aio.tls import BadTls, TlsLayer, inner_context, outer_context, reached_relay, relay_context
from portineria.wire.certificate import ISSUERS, BadCertificate, Identity, check_leaf
from portineria.wire.leg import END_TO_END_ALPN, LEG_ALPN, LINK_ALPN
from tests.integration.aio.ends import Heard, Installation, eventually, new_channel, tcp_pair


def first_der(chain: Path) -> bytes:
    return x509.load_pem_x509_certificate(chain.read_bytes()).public_bytes(Encoding.DER)


def shake(client: TlsLayer, server: TlsLayer) -> None:
    """Both handshakes to their end, and one more flight: a TLS 1.3 server may still refuse the client's certificate."""
    for _ in range(6):
        for layer, other in ((client, server), (server, client)):
            try:
                layer.handshake()
            finally:
                other.feed(layer.take_outgoing())
    assert client.handshake()
    assert server.handshake()
    client.read()


def inner_pair(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[TlsLayer, TlsLayer]:
    layers = TlsLayer(client, server_side=False), TlsLayer(server, server_side=True)
    shake(*layers)
    return layers


def test_a_session_and_a_gateway_find_each_other(ours: Installation) -> None:
    connector, gateway = inner_pair(
        ours.context("session", server_side=False), ours.context("gateway", server_side=True)
    )
    assert check_leaf(gateway.peer_certificate(), kind="session", issuer=ours.issuers["session"]).id == "x_a"
    assert check_leaf(connector.peer_certificate(), kind="gateway", issuer=ours.issuers["gateway"]).id == "x_a"
    connector.require_alpn(END_TO_END_ALPN)
    gateway.require_alpn(END_TO_END_ALPN)


@pytest.mark.parametrize("role", ISSUERS)
def test_only_a_gateway_passes_where_the_connector_expects_one(ours: Installation, role: str) -> None:
    client, server = ours.context("session", server_side=False), ours.context(role, server_side=True)
    if role == "gateway":
        inner_pair(client, server)
    else:
        with pytest.raises(BadTls):
            inner_pair(client, server)


@pytest.mark.parametrize("role", ISSUERS)
def test_only_a_session_passes_where_the_gateway_expects_one(ours: Installation, role: str) -> None:
    client, server = ours.context(role, server_side=False), ours.context("gateway", server_side=True)
    if role == "session":
        inner_pair(client, server)
    else:
        with pytest.raises(BadTls):
            inner_pair(client, server)


@pytest.mark.parametrize("role", ["session", "signer"])
def test_a_role_that_is_no_server_is_none_even_for_who_trusts_its_issuer(ours: Installation, role: str) -> None:
    """The second line of defence behind the issuer: key usage for sessions, the name for signers."""
    client = ours.context("session", server_side=False, trusts=ours.issuers[role])
    try:
        connector, _ = inner_pair(client, ours.context(role, server_side=True))
    except BadTls:
        return
    with pytest.raises(BadCertificate):
        check_leaf(connector.peer_certificate(), kind="gateway", issuer=ours.issuers["gateway"])


@pytest.mark.parametrize("server_side", [True, False])
def test_the_same_names_from_another_installation_are_refused(
    ours: Installation, rival: Installation, server_side: bool
) -> None:
    """Also when the other shows its whole chain up to a root of the same name."""
    mine = ours.context("gateway" if server_side else "session", server_side=server_side)
    theirs = rival.context("session" if server_side else "gateway", server_side=not server_side)
    with pytest.raises(BadTls):
        inner_pair(theirs, mine) if server_side else inner_pair(mine, theirs)


def test_a_gateway_with_another_id_passes_the_handshake_and_is_told_apart_by_its_name(ours: Installation) -> None:
    chain, key = ours.files("gateway", name="gw_other")
    other = inner_context(server_side=True, chain=chain, key=key, issuer=ours.issuers["session"])
    connector, _ = inner_pair(ours.context("session", server_side=False), other)
    found = check_leaf(connector.peer_certificate(), kind="gateway", issuer=ours.issuers["gateway"])
    assert found.id == "gw_other"
    assert found.spki_sha256 == check_leaf(first_der(chain), kind="gateway", issuer=ours.issuers["gateway"]).spki_sha256


@pytest.mark.parametrize("role", ISSUERS)
def test_only_a_relay_passes_as_one_at_the_outer_layer(ours: Installation, role: str) -> None:
    client = TlsLayer(outer_context(LEG_ALPN), server_side=False)
    server = TlsLayer(relay_context(*ours.files(role)), server_side=True)
    shake(client, server)
    reached = reached_relay(client.peer_certificate(), issuer=ours.issuers["relay"])
    if role == "relay":
        assert isinstance(reached, Identity)
        assert reached.id == "x_a"
    else:
        assert reached == "CN=x_a"  # shown as whoever opened the path


def test_a_relay_of_another_installation_is_somebody_who_opened_the_path(
    ours: Installation, rival: Installation
) -> None:
    assert reached_relay(first_der(rival.files("relay")[0]), issuer=ours.issuers["relay"]) == "CN=x_a"


def test_who_shows_a_certificate_nobody_can_read_is_named_so(ours: Installation) -> None:
    assert reached_relay(b"\x30\x03\x02\x01\x05", issuer=ours.issuers["relay"]) == "an unreadable certificate"


@pytest.mark.parametrize("years", [-56, -5, 10])
def test_the_handshake_does_not_look_at_the_clock(ours: Installation, years: int) -> None:
    """A gateway that believes it is 1970, a certificate expired for years: only the signed time judges."""
    at = datetime.now(UTC) + timedelta(days=365 * years)
    inner_pair(ours.context("session", server_side=False, at=at), ours.context("gateway", server_side=True, at=at))
    assert abs(ours.at - at) > timedelta(days=1000)


@pytest.mark.parametrize("offered", [[], ["h2"], [LINK_ALPN], ["portineria-e2e/2"]])
def test_another_protocol_or_none_is_refused_by_both_sides(ours: Installation, offered: list[str]) -> None:
    client = ours.context("session", server_side=False)
    if offered:
        client.set_alpn_protocols(offered)
    else:
        chain, key = ours.files("session")
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.load_cert_chain(chain, key)
    connector, gateway = inner_pair(client, ours.context("gateway", server_side=True))
    for layer in (connector, gateway):
        with pytest.raises(BadTls, match="expected 'portineria-e2e/1'"):
            layer.require_alpn(END_TO_END_ALPN)


def bare_client(*, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = newest
    context.set_alpn_protocols([END_TO_END_ALPN])
    return context


def test_who_shows_no_certificate_is_refused(ours: Installation) -> None:
    with pytest.raises(BadTls):
        inner_pair(bare_client(), ours.context("gateway", server_side=True))


def test_tls_1_2_is_refused_in_both_layers(ours: Installation) -> None:
    old = bare_client(newest=ssl.TLSVersion.TLSv1_2)
    for server in (ours.context("gateway", server_side=True), relay_context(*ours.files("relay"))):
        with pytest.raises(BadTls):
            inner_pair(old, server)


def test_no_session_can_be_resumed(ours: Installation) -> None:
    """A ticket would let a session begin again without its certificate being shown."""
    client = TlsLayer(ours.context("session", server_side=False), server_side=False)
    server = TlsLayer(ours.context("gateway", server_side=True), server_side=True)
    shake(client, server)
    server.write(b"x")
    client.feed(server.take_outgoing())
    assert client.read() == [b"x"]
    session = client._object.session
    assert session is None or not session.has_ticket


@pytest.mark.usefixtures("leaves_nothing_open")
async def test_the_gateway_tells_a_rival_why_and_its_own_owner_too(ours: Installation, rival: Installation) -> None:
    with tcp_pair() as (near, far):
        client, server = new_channel(), new_channel()
        intruder = rival.context("session", server_side=False, trusts=ours.issuers["gateway"])
        starting = asyncio.ensure_future(client.start(near, intruder, server_side=False))
        with pytest.raises(BadTls):
            await server.start(far, ours.context("gateway", server_side=True), server_side=True)
        await starting  # TLS 1.3: a client is done before the server looked at its certificate
        heard = Heard(client)
        await eventually(lambda: heard.lost, "the intruder hears that it is refused")
        assert isinstance(heard.lost[0], BadTls)
        assert not heard.data


@pytest.mark.usefixtures("leaves_nothing_open")
async def test_silence_instead_of_a_handshake_ends_in_time(ours: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portineria.dataplane.aio.channel.HANDSHAKE_S", 0.1)  # instead of five seconds
    with tcp_pair() as (_, far):
        with pytest.raises(TimeoutError):
            await new_channel().start(far, ours.context("gateway", server_side=True), server_side=True)
        await eventually(lambda: far.fileno() == -1, "the silent connection is closed")
