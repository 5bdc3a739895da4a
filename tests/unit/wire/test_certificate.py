# SPDX-License-Identifier: Apache-2.0
"""The installation's certificates. What the TLS stack makes of them is in tests/integration/aio."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portineria.wire.certificate import (
    GATEWAY_LIFE,
    ISSUERS,
    BadCertificate,
    OutOfDate,
    check_issuer,
    check_leaf,
    fingerprint,
    issue,
    load_certificate,
    load_spki,
    make_issuer,
    make_root,
    spki,
    spki_sha256,
)

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
GATEWAY = "gw_aaaaaaaaaaaaaaaa"


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Installation:
    """A root and its four issuers."""

    def __init__(self) -> None:
        self.root_key = new_key()
        self.root = make_root(self.root_key, "ins_aaaaaaaaaaaaaaaa", AT)
        self.keys = {kind: new_key() for kind in ISSUERS}
        self.issuers = {
            kind: make_issuer(kind, key.public_key(), root_key=self.root_key, root=self.root, at=AT)
            for kind, key in self.keys.items()
        }

    def leaf(self, kind: str, identifier: str = GATEWAY, **more: tuple[str, ...]) -> x509.Certificate:
        return issue(
            kind, identifier, new_key().public_key(), issuer_key=self.keys[kind], issuer=self.issuers[kind], at=AT,
            life=GATEWAY_LIFE, **more,
        )  # fmt: skip


OURS, RIVAL = Installation(), Installation()


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_a_leaf_says_who_holds_it_with_which_key_and_for_how_long() -> None:
    leaf = OURS.leaf("gateway")
    identity = check_leaf(der(leaf), kind="gateway", issuer=OURS.issuers["gateway"])
    assert (identity.kind, identity.id) == ("gateway", GATEWAY)
    assert identity.spki_sha256 == spki_sha256(identity.key)
    assert identity.not_before < AT < identity.not_after == AT + timedelta(days=30)


@pytest.mark.parametrize("shown", ISSUERS)
@pytest.mark.parametrize("expected", ISSUERS)
def test_a_leaf_of_one_kind_never_passes_as_another(shown: str, expected: str) -> None:
    data = der(OURS.leaf(shown))
    if shown == expected:
        assert check_leaf(data, kind=expected, issuer=OURS.issuers[expected]).kind == expected
        return
    with pytest.raises(BadCertificate):
        check_leaf(data, kind=expected, issuer=OURS.issuers[expected])
    with pytest.raises(BadCertificate):  # not even where the wrong issuer is configured
        check_leaf(data, kind=expected, issuer=OURS.issuers[shown])


@pytest.mark.parametrize("kind", ISSUERS)
def test_another_installations_leaf_is_refused_though_every_name_is_the_same(kind: str) -> None:
    with pytest.raises(BadCertificate):
        check_leaf(der(RIVAL.leaf(kind)), kind=kind, issuer=OURS.issuers[kind])


@pytest.mark.parametrize("kind", ISSUERS)
def test_an_issuer_is_believed_only_from_the_root_and_only_as_its_own_kind(kind: str) -> None:
    check_issuer(OURS.issuers[kind], kind=kind, root=OURS.root)
    with pytest.raises(BadCertificate):
        check_issuer(RIVAL.issuers[kind], kind=kind, root=OURS.root)
    with pytest.raises(BadCertificate):
        check_issuer(OURS.issuers[kind], kind="relay" if kind == "gateway" else "gateway", root=OURS.root)


def test_no_issuer_of_another_name_is_made() -> None:
    with pytest.raises(BadCertificate):
        make_issuer("console", new_key().public_key(), root_key=OURS.root_key, root=OURS.root, at=AT)


def test_the_root_does_not_pass_as_an_issuer_of_leaves() -> None:
    with pytest.raises(BadCertificate):
        check_leaf(der(OURS.leaf("gateway")), kind="gateway", issuer=OURS.root)


@pytest.mark.parametrize(
    ("kind", "uses"),
    [
        ("gateway", {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}),
        ("relay", {ExtendedKeyUsageOID.SERVER_AUTH}),
        ("session", {ExtendedKeyUsageOID.CLIENT_AUTH}),
    ],
)
def test_a_leaf_may_be_used_for_its_side_of_the_handshake_only(kind: str, uses: set[x509.ObjectIdentifier]) -> None:
    found = OURS.leaf(kind).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(found) == uses


def test_a_signer_cannot_be_used_for_tls_by_its_certificate_alone() -> None:
    with pytest.raises(x509.ExtensionNotFound):
        OURS.leaf("signer").extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_a_relay_is_named_by_its_hosts_too() -> None:
    leaf = OURS.leaf("relay", hosts=("relay.example", "192.0.2.7", "2001:db8::7"))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["relay.example"]
    assert [str(found) for found in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "2001:db8::7"]
    assert check_leaf(der(leaf), kind="relay", issuer=OURS.issuers["relay"]).id == GATEWAY


def named(*names: x509.GeneralName) -> bytes:
    """A leaf our gateway issuer signed, with names it would never write."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))
        .issuer_name(OURS.issuers["gateway"].subject)
        .public_key(new_key().public_key())
        .serial_number(1)
        .not_valid_before(AT)
        .not_valid_after(AT + GATEWAY_LIFE)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return der(builder.sign(OURS.keys["gateway"], hashes.SHA256()))


@pytest.mark.parametrize(
    "names",
    [
        (),
        (x509.DNSName("gateway"),),
        (x509.UniformResourceIdentifier("urn:portineria:gatewayx:gw_a"),),
        (x509.UniformResourceIdentifier("urn:portineria:gateway:a"), x509.UniformResourceIdentifier("urn:other:b")),
    ],
)
def test_a_leaf_without_exactly_one_name_of_ours_is_refused(names: tuple[x509.GeneralName, ...]) -> None:
    with pytest.raises(BadCertificate):
        check_leaf(named(*names), kind="gateway", issuer=OURS.issuers["gateway"])


def test_a_certificate_counts_from_its_first_moment_to_its_last() -> None:
    identity = check_leaf(der(OURS.leaf("gateway")), kind="gateway", issuer=OURS.issuers["gateway"])
    first, last = (round(at.timestamp() * 1000) for at in (identity.not_before, identity.not_after))
    for right in (first, last, None):  # a time that is not known judges nothing
        identity.check_date(right)
    for wrong in (first - 1, last + 1):
        with pytest.raises(OutOfDate):
            identity.check_date(wrong)


def test_public_keys_of_our_two_kinds_are_read_and_others_refused() -> None:
    p256, ed25519 = new_key().public_key(), Ed25519PrivateKey.generate().public_key()
    assert spki(load_spki(spki(p256))) == spki(p256)
    assert spki(load_spki(spki(ed25519))) == spki(ed25519)
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    large = rsa.generate_private_key(65537, 2048).public_key()
    for other in (p384, large):
        with pytest.raises(BadCertificate):
            load_spki(other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_a_key_of_an_algorithm_nobody_knows_is_refused() -> None:
    unknown = spki(new_key().public_key()).replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d027f"))
    with pytest.raises(BadCertificate):
        load_spki(unknown)


def test_a_certificate_of_a_version_nobody_knows_is_refused() -> None:
    data = der(OURS.leaf("gateway"))
    with pytest.raises(BadCertificate):
        load_certificate(data.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020109"), 1))


def test_a_fingerprint_can_be_compared_by_eye() -> None:
    assert fingerprint(bytes(range(32))) == ("00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f")


def test_a_key_of_no_kind_makes_no_certificate() -> None:
    """The bit that turns id-ecPublicKey into an algorithm that nobody has."""
    root = make_root(ec.generate_private_key(ec.SECP256R1()), "ins_1", AT)
    data = root.public_bytes(Encoding.DER)
    known = bytes.fromhex("06072a8648ce3d0201")
    with pytest.raises(BadCertificate):
        load_certificate(data.replace(known, known[:-2] + b"\x69\x01"))
