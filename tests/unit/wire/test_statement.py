# SPDX-License-Identifier: Apache-2.0
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.wire.envelope import BadSignature, read_signed, sign
from portineria.wire.frame import BadFrame
from portineria.wire.statement import (
    ROLES,
    Acknowledgement,
    Additions,
    Admitted,
    AdmittedGateway,
    Asset,
    Leases,
    Letter,
    OpeningKey,
    Order,
    RelayAddress,
    SessionLease,
    Ticket,
    Time,
    Withdrawal,
    letter_info,
    open_admitted,
    open_letter,
    open_ticket,
    role_of,
    sha256,
    sign_statement,
)

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
GATEWAY, SESSION, HASH = "gw_aaaaaaaaaaaaaaaa", "ses_aaaaaaaaaaaaaaaa", bytes(range(32))
ORDER = Order(
    organisation="org_aaaaaaaaaaaaaaaa", gateway=GATEWAY, session=SESSION, order_seq=1, session_spki_sha256=HASH,
    assets=[Asset("srv_aaaaaaaaaaaaaaaa", "10.0.0.5", 502)], profile="", not_before_ms=0, expires_ms=1, max_legs=8,
    recording="none", consent="none", on_silence="drain", lease_s=60, drain_s=600, hold_s=60, signer_id="sig_a",
)  # fmt: skip
INSPECTED = msgspec.structs.replace(
    ORDER, assets=[Asset("srv_aaaaaaaaaaaaaaaa", "10.0.0.5", 502, protocol="modbus")], profiles=[b"profile"]
)
TICKET = Ticket(SESSION, HASH, GATEWAY, "rel_aaaaaaaaaaaaaaaa", 1, 8)
ADMITTED = Admitted(7, 1, [AdmittedGateway(GATEWAY, HASH)])
LETTERS: list[Letter] = [
    ORDER,
    INSPECTED,
    Withdrawal(GATEWAY, SESSION, 2, "cut", 0, "supplier.disabled"),
    Leases(GATEWAY, HASH, [SessionLease(SESSION, HASH, 60)]),
    Time(GATEWAY, HASH, 1_790_000_000_000),
    Acknowledgement(GATEWAY, HASH, 12, HASH),
    Additions(GATEWAY, [RelayAddress("rel_aaaaaaaaaaaaaaaa", "relay.example", 443)], [OpeningKey("key_a", HASH)]),
]


def signed(statement: Letter | Ticket | Admitted, key: Ed25519PrivateKey = KEY) -> bytes:
    return sign_statement(statement, key, "order:sig_a")


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: type(letter).__name__)
def test_a_letter_comes_out_as_it_was_signed_together_with_its_exact_bytes(letter: Letter) -> None:
    wrapped = read_signed(signed(letter))
    opened, exact = open_letter(wrapped, KEY.public_key())
    assert opened == letter
    assert exact == wrapped.statement
    assert role_of(wrapped) in ROLES


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: type(letter).__name__)
def test_a_letter_of_another_signer_is_refused(letter: Letter) -> None:
    with pytest.raises(BadSignature):
        open_letter(read_signed(signed(letter, OTHER)), KEY.public_key())


@pytest.mark.parametrize(
    ("statement", "role"),
    [
        (ORDER, "order"),
        (LETTERS[2], "order"),
        (LETTERS[5], "acknowledgement"),
        (TICKET, "ticket"),
        (ADMITTED, "ticket"),
    ],
)
def test_each_statement_has_one_role_that_may_make_it(statement: Letter | Ticket | Admitted, role: str) -> None:
    assert role_of(read_signed(signed(statement))) == role


def test_nobody_may_make_a_statement_of_an_unknown_type() -> None:
    unknown = sign(KEY, kind="portineria.update", version=1, signer="order:sig_a", statement=b"")
    assert role_of(read_signed(unknown)) is None


def test_an_acknowledgement_cannot_be_wrapped_as_an_order() -> None:
    """Else the key of one role could speak with the words of another."""
    inside = read_signed(signed(LETTERS[5])).statement
    wrapped = sign(KEY, kind="portineria.order", version=1, signer="order:sig_a", statement=inside)
    with pytest.raises(BadSignature):
        open_letter(read_signed(wrapped), KEY.public_key())


def test_a_ticket_is_not_a_letter_and_a_letter_not_a_ticket() -> None:
    with pytest.raises(BadFrame):
        open_letter(read_signed(signed(TICKET)), KEY.public_key())
    with pytest.raises(BadSignature):
        open_ticket(signed(ORDER), KEY.public_key())
    with pytest.raises(BadSignature):
        open_admitted(signed(TICKET), KEY.public_key())


def test_tickets_and_admitted_lists_open_with_their_signers_key_only() -> None:
    assert open_ticket(signed(TICKET), KEY.public_key()) == TICKET
    assert open_admitted(signed(ADMITTED), KEY.public_key()) == ADMITTED
    with pytest.raises(BadSignature):
        open_ticket(signed(TICKET, OTHER), KEY.public_key())
    with pytest.raises(BadSignature):
        open_admitted(signed(ADMITTED, OTHER), KEY.public_key())


@pytest.mark.parametrize(
    "change",
    [{"order_seq": 0}, {"assets": []}, {"lease_s": 3601}, {"max_legs": 0}, {"on_silence": "wait"}, {"recording": "all"},
     {"session_spki_sha256": HASH[1:]}, {"drain_s": -1}, {"session": "s" * 25}, {"port": 0}],
    ids=str,
)  # fmt: skip
def test_an_order_outside_its_limits_is_refused_even_when_well_signed(change: dict[str, object]) -> None:
    fields = msgspec.to_builtins(ORDER) | {"session_spki_sha256": HASH} | change
    if "port" in change:
        fields["assets"] = [fields["assets"][0] | {"port": fields.pop("port")}]
    body = msgspec.msgpack.encode(fields)
    wrapped = sign(KEY, kind="portineria.order", version=1, signer="order:sig_a", statement=body)
    with pytest.raises(BadFrame):
        open_letter(read_signed(wrapped), KEY.public_key())


def test_two_gateways_never_share_what_their_letters_are_sealed_for() -> None:
    assert letter_info(GATEWAY) != letter_info("gw_bbbbbbbbbbbbbbbb")


def test_a_hash_is_sha_256() -> None:
    assert sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class AssetBefore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As a gateway from before inspection reads it."""

    service: str
    address: str
    port: int
    transport: str = "tcp"


def test_a_gateway_from_before_inspection_understands_orders_without_and_refuses_those_with_it() -> None:
    fields = msgspec.structs.fields(Order)
    before = msgspec.defstruct(
        "Before",
        [
            (field.name, list[AssetBefore] if field.name == "assets" else field.type)
            for field in fields
            if field.name not in {"profiles", "recording_recipients", "program_contents"}
        ],
        tag_field="is",
        tag="order",
        forbid_unknown_fields=True,
    )
    plain = msgspec.msgpack.encode(ORDER)
    assert msgspec.msgpack.decode(plain, type=before).assets == [AssetBefore("srv_aaaaaaaaaaaaaaaa", "10.0.0.5", 502)]  # type: ignore[attr-defined]
    kept = msgspec.structs.replace(ORDER, program_contents="kept")
    for asked in (INSPECTED, msgspec.structs.replace(INSPECTED, profiles=[]), kept):
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.msgpack.decode(msgspec.msgpack.encode(asked), type=before)


def test_an_order_with_too_many_or_too_large_profiles_is_refused() -> None:
    for profiles in ([b""] * 5, [bytes(16385)]):
        large = signed(msgspec.structs.replace(INSPECTED, profiles=profiles))
        with pytest.raises(BadFrame):
            open_letter(read_signed(large), KEY.public_key())
