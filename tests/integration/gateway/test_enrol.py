# SPDX-License-Identifier: Apache-2.0
"""Enrolment, pinning, repinning and renewal through the command line (WIRE 4, 5, 6)."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from portineria.dataplane.gateway.http import b64, unb64
from portineria.dataplane.gateway.state import State
from portineria.wire.certificate import fingerprint, spki_sha256
from portineria.wire.enrolment import REQUEST, TRUST, new_code, split_code
from tests.integration.authority import Authority
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import asset_of
from tests.integration.gateway.console import Console
from tests.integration.gateway_process import QUICK
from tests.integration.middlebox import ENCODED, Line, squid, trickle
from tests.integration.process import Process, eventually

FAR_REACH = "192.168.10.0/24:502,102"


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with Console(Authority(tmp_path / "authority")) as opened:
        yield opened


def gateway(*arguments: str, state: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "import sys; from portineria.cli.main import main; sys.exit(main())", "gateway"]
    return subprocess.run(
        [*command, *arguments, "--state", str(state)], capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def enrol(console: Console, state: Path, code: str | None = None) -> "subprocess.CompletedProcess[str]":
    return gateway("enrol", console.url, code or console.offer(), "--no-wait", "--reach", FAR_REACH, state=state)


def test_a_gateway_enrols_and_shows_its_own_fingerprint(console: Console, tmp_path: Path) -> None:
    done = enrol(console, tmp_path / "gateway")
    assert done.returncode == 0, done.stderr
    state = State(tmp_path / "gateway")
    own = fingerprint(spki_sha256(state.load_keys().tls.public_key()))
    assert own in done.stdout
    assert fingerprint(spki_sha256(console.authority.root_key.public_key())) in done.stdout
    [known] = console.authority.gateways.values()
    assert fingerprint(known.spki_sha256) == own, "what the console shows"
    assert gateway("reach", "list", state=tmp_path / "gateway").stdout.split() == [FAR_REACH]


def test_neither_the_secret_nor_a_private_key_is_sent(console: Console, tmp_path: Path) -> None:
    code = console.offer()
    _, secret = split_code(code)
    assert enrol(console, tmp_path / "gateway", code).returncode == 0
    sent = json.dumps(console.asked)
    assert secret.decode() not in sent
    assert code not in sent
    request = REQUEST.decode(unb64(console.asked[0], "request"))
    for path in (tmp_path / "gateway/keys").iterdir():
        key = "".join(path.read_text().splitlines()[1:-1])
        assert key not in sent
    assert len(request.tls_key) == 91


def test_a_wrong_or_used_code_enrols_nobody(console: Console, tmp_path: Path) -> None:
    wrong = enrol(console, tmp_path / "wrong", new_code())
    assert (wrong.returncode, State(tmp_path / "wrong").enrolled) == (1, False)
    code = console.offer()
    altered = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert enrol(console, tmp_path / "wrong", altered).returncode == 1
    assert enrol(console, tmp_path / "first", code).returncode == 0
    assert enrol(console, tmp_path / "second", code).returncode == 1
    assert console.failures == 3
    malformed = enrol(console, tmp_path / "third", "ABC")
    assert malformed.returncode == 2
    assert len(console.asked) == 4, "a code that cannot be one is not even sent"


def test_whoever_exchanges_the_root_on_the_way_is_found_out(console: Console, tmp_path: Path) -> None:
    """The man in the middle has a root of his own and everything signed under it."""
    rival = Authority(tmp_path / "rival")

    def exchange(answer: dict[str, str]) -> dict[str, str]:
        trust = TRUST.decode(unb64(answer, "trust"))
        return {**answer, "trust": b64(TRUST.encode(rival.trust(trust.gateway)))} if "trust" in answer else answer

    console.tamper = exchange
    done = enrol(console, tmp_path / "gateway")
    assert done.returncode == 1
    assert not State(tmp_path / "gateway").enrolled


def test_whoever_exchanges_the_keys_on_the_way_is_found_out(console: Console, tmp_path: Path) -> None:
    rival = State(tmp_path / "rival")
    (tmp_path / "rival").mkdir()
    request = REQUEST.encode(rival.make_keys().request(name="", version="0"))
    console.tamper_request = lambda asked: {**asked, "request": b64(request)}
    done = enrol(console, tmp_path / "gateway")
    assert done.returncode == 1
    assert console.failures == 1
    assert console.authority.gateways == {}


def test_another_server_is_refused_later_and_only_repin_believes_it(console: Console, tmp_path: Path) -> None:
    state = tmp_path / "gateway"
    assert enrol(console, state).returncode == 0
    before = State(state).load_pinned()
    with Console(Authority(tmp_path / "other")) as other:
        refused = gateway("enrol", other.url, other.offer(), "--no-wait", state=state)
        assert refused.returncode == 1
        assert State(state).load_pinned() == before
        assert gateway("repin", other.url, other.offer(), state=state).returncode == 2, "asks for --yes"
        assert State(state).load_pinned() == before
        wrong = gateway("repin", other.url, other.offer(), "--yes", "--fingerprint", "00" * 32, state=state)
        assert wrong.returncode == 1
        assert State(state).load_pinned() == before
        done = gateway("repin", other.url, other.offer(), "--yes", "--no-wait", state=state)
        assert done.returncode == 0, done.stderr
        old, new = before.root_spki_sha256, spki_sha256(other.authority.root_key.public_key())
        assert fingerprint(old) in done.stdout
        assert fingerprint(new) in done.stdout
        assert State(state).load_pinned().root_spki_sha256 == new
        assert gateway("reach", "list", state=state).stdout.split() == [FAR_REACH], "the plant's own list stays"


def test_enrolling_again_at_the_same_server_makes_a_new_identity(console: Console, tmp_path: Path) -> None:
    """After 180 days without a certificate, or when the old gateway was revoked."""
    state = tmp_path / "gateway"
    assert enrol(console, state).returncode == 0
    before = State(state).load_pinned().trust.gateway, State(state).load_keys().request(name="", version="")
    assert enrol(console, state).returncode == 0
    after = State(state).load_pinned().trust.gateway, State(state).load_keys().request(name="", version="")
    assert before[0] != after[0]
    assert before[1].tls_key != after[1].tls_key


def test_enrolling_waits_for_the_console(console: Console, tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway/gateway.toml").write_text("admission_s = 0.1\n")
    console.admission = "admitted"
    done = gateway("enrol", console.url, console.offer(), state=tmp_path / "gateway")
    assert "Admitted" in done.stdout
    console.admission = "refused"
    refused = gateway("enrol", console.url, console.offer(), state=tmp_path / "gateway")
    assert refused.returncode == 1
    assert "refused" in refused.stderr


def test_a_server_that_is_away_is_said_to_be_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = gateway("enrol", f"http://127.0.0.1:{port}", new_code(), "--no-wait", state=tmp_path / "gateway")
    assert done.returncode == 3


def test_status_says_when_nothing_runs(console: Console, tmp_path: Path) -> None:
    assert gateway("status", state=tmp_path / "gateway").returncode == 1
    assert enrol(console, tmp_path / "gateway").returncode == 0
    status = gateway("status", state=tmp_path / "gateway")
    assert status.returncode == 3
    assert "not running" in status.stdout


def test_the_reach_list_is_kept_by_hand(tmp_path: Path) -> None:
    state = tmp_path / "gateway"
    state.mkdir()
    assert gateway("reach", "add", "10.0.0.1:502", "[fd00::/64]:102", state=state).stdout.split() == [
        "10.0.0.1/32:502",
        "fd00::/64:102",
    ]
    assert gateway("reach", "remove", "10.0.0.1:502", state=state).stdout.split() == ["fd00::/64:102"]
    assert gateway("reach", "remove", "10.0.0.1:502", state=state).returncode == 1
    assert gateway("reach", "add", "everything", state=state).returncode == 2


async def test_from_enrolment_to_the_device(authority: Authority, device: Device, floor: Floor, tmp_path: Path) -> None:
    """Enrolled, started before it is admitted, admitted, linked, ordered, connected; then renewed."""
    place = tmp_path / "enrolled"
    place.mkdir()
    settings = {name: value for name, value in QUICK.items() if name != "proxy"}
    (place / "gateway.toml").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    with Console(authority) as console:
        code = console.offer()
        arguments = ("enrol", console.url, code, "--no-wait", "--reach", f"{floor.network}:502", "--proxy", "none")
        done = await asyncio.to_thread(gateway, *arguments, state=place)
        assert done.returncode == 0, done.stderr
        [name] = authority.gateways
        process = Process(["-m", "portineria.dataplane.gateway", str(place)], tmp_path / "gateway.log")
        await process.start()
        try:
            await eventually(lambda: len(console.asked) >= 3, "it asks for admission")
            console.life = timedelta(hours=1)  # at two thirds of it: the hour before its issue counts too
            console.authority.now -= timedelta(minutes=50)
            authority.admit(name)
            console.admission = "admitted"
            await authority.linked(name)
            end = End(authority, name, tmp_path)
            end.permit([asset_of(device)])
            stream = await end.open()
            await stream.say(b"enrolled")
            assert await stream.heard(8) == b"enrolled"
            first = (place / "certificate.der").read_bytes()
            console.life = timedelta(days=30)
            await eventually(lambda: (place / "certificate.der").read_bytes() != first, "renewed", within_s=20)
            another = await end.open()
            await another.say(b"renewed")
            assert await another.heard(7) == b"renewed"
            status = await asyncio.to_thread(gateway, "status", state=place)
            assert status.returncode == 0, status.stdout
            assert "admitted" in status.stdout
        finally:
            await process.end()


def test_settings_with_a_misspelt_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway/gateway.toml").write_text("proxi = 'none'\n")
    done = gateway("run", state=tmp_path / "gateway")
    assert done.returncode == 2
    assert "proxy" in done.stderr


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        ("", "The proxy wants a name and a password"),
        ("plant:wrong@", "The proxy wants a name and a password"),
        (f"{ENCODED}@", "The proxy does not let us through: the proxy answered 503."),
    ],
    ids=["no password", "wrong password", "nobody behind it"],
)
def test_what_the_proxy_says_to_an_enrolment_is_said_in_plain_words(
    tmp_path: Path, credentials: str, said: str
) -> None:
    with squid(with_password=True) as proxy:
        way = f"http://{credentials}{proxy.address}:{proxy.port}"
        done = gateway("enrol", "https://127.0.0.1:1", new_code(), "--proxy", way, state=tmp_path / "gateway")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"portineria: {said}" in done.stderr
    assert "plant:wrong" not in done.stderr


async def test_what_the_proxy_says_to_a_gateway_that_waits_is_in_its_status(console: Console, tmp_path: Path) -> None:
    """Without TLS it answers in the server's place; this one lets nothing but tunnels through."""
    place = tmp_path / "gateway"
    done = await asyncio.to_thread(enrol, console, place)
    assert done.returncode == 0, done.stderr
    with squid(with_password=False) as proxy:
        settings = {**QUICK, "proxy": proxy.url()}
        (place / "gateway.toml").write_text(
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        )
        process = Process(["-m", "portineria.dataplane.gateway", str(place)], tmp_path / "gateway.log")
        await process.start()
        try:
            await eventually(lambda: "certificate.failed" in process.said)
            shown = ""
            while "Admission    waiting" in shown or "Admission" not in shown:
                shown = (await asyncio.to_thread(gateway, "status", state=place)).stdout
            assert "Admission    The proxy does not let us through: the proxy answered 403." in shown
        finally:
            await process.end()


async def test_a_gateway_that_waits_for_a_server_which_hardly_answers_ends_when_told(tmp_path: Path) -> None:
    with Console(Authority(tmp_path / "authority")) as console:
        address = ("127.0.0.1", int(console.url.rpartition(":")[2]))
        async with Line(address) as line, trickle() as slow:
            place, url = tmp_path / "gateway", f"http://127.0.0.1:{line.address[1]}"
            done = await asyncio.to_thread(gateway, "enrol", url, console.offer(), "--no-wait", state=place)
            assert done.returncode == 0, done.stderr
            line.target = slow
            before = line.accepted
            process = Process(["-m", "portineria.dataplane.gateway", str(place)], tmp_path / "gateway.log")
            await process.start()
            await eventually(lambda: line.accepted > before, "it asks for admission")
            assert await process.end() == 0
