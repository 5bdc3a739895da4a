# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from portineria.wire.envelope import BadSeal, BadSignature, read_signed, seal, sign, unseal, verify

KEY, BOX = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
SIGNED = sign(KEY, kind="portineria.order", version=1, signer="sig_1", statement=b"exact bytes")


def test_the_exact_bytes_come_back_under_their_own_kind_version_and_key() -> None:
    signed = read_signed(SIGNED)
    assert signed.signer == "sig_1"
    assert verify(signed, KEY.public_key(), kind="portineria.order", version=1) == b"exact bytes"


@pytest.mark.parametrize(("kind", "version"), [("portineria.lease", 1), ("portineria.order", 2)])
def test_a_statement_does_not_pass_for_another_kind_or_version(kind: str, version: int) -> None:
    with pytest.raises(BadSignature, match="expected"):
        verify(read_signed(SIGNED), KEY.public_key(), kind=kind, version=version)


def test_another_key_does_not_pass() -> None:
    with pytest.raises(BadSignature):
        verify(read_signed(SIGNED), Ed25519PrivateKey.generate().public_key(), kind="portineria.order", version=1)


def test_no_byte_of_a_signed_statement_can_be_changed() -> None:
    import msgspec

    original = read_signed(SIGNED)
    for changed in (
        msgspec.structs.replace(original, statement=b"exact byteS"),
        msgspec.structs.replace(original, signer="sig_2"),
        msgspec.structs.replace(original, signature=bytes(64)),
    ):
        with pytest.raises(BadSignature):
            verify(changed, KEY.public_key(), kind="portineria.order", version=1)


def test_bytes_cannot_move_from_the_kind_into_the_signer() -> None:
    one = sign(KEY, kind="ab", version=1, signer="c", statement=b"")
    other = sign(KEY, kind="a", version=1, signer="bc", statement=b"")
    assert read_signed(one).signature != read_signed(other).signature


def test_a_seal_opens_with_its_key_and_its_info_only() -> None:
    sealed = seal(b"addresses", BOX.public_key(), info=b"gw_1")
    assert b"addresses" not in sealed
    assert unseal(sealed, BOX, info=b"gw_1") == b"addresses"
    with pytest.raises(BadSeal):
        unseal(sealed, BOX, info=b"gw_2")
    with pytest.raises(BadSeal):
        unseal(sealed, X25519PrivateKey.generate(), info=b"gw_1")
    with pytest.raises(BadSeal):
        unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), BOX, info=b"gw_1")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(64), b"\x01" + bytes(31), b"\x01" + bytes(64)])
def test_what_is_no_seal_is_refused(sealed: bytes) -> None:
    with pytest.raises(BadSeal):
        unseal(sealed, BOX, info=b"gw_1")
