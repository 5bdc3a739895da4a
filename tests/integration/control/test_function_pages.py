# SPDX-License-Identifier: Apache-2.0
"""What people read about functions: before the yes, while somebody works, and in the register; in three languages."""

from __future__ import annotations

import re

import pytest

from portineria.control.access import services as access
from portineria.control.access.models import Grant
from portineria.control.audit import queries as audit
from portineria.control.estate import services as estate
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.reports import receive
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import accepted, report, started
from tests.integration.control.world import World, fresh

pytestmark = pytest.mark.sqlite  # what pages say, whatever the database
REFUSED: dict[str, str | int] = {
    "profile": "observe", "protocol": "modbus", "function": "write-single-register", "code": "6", "operation": "write",
    "targets": "holding 104", "route": "unit 255", "reason": "function route", "count": 3,
}  # fmt: skip


@pytest.fixture
def observed(linked: World) -> World:
    device = linked.machine.devices.get().public_id
    estate.add_service(actor=linked.owner, device=device, name="Shell", protocol="ssh", port=22)
    access.change_rule(actor=linked.owner, rule=linked.rule, profile="observe", only_decoded=True)
    receive(linked.gateway.id, [linked.gateway.ask(inspects=["modbus"])])
    return linked


def refused(world: World, **other: str | int) -> Session:
    session = accepted(world, started(world))
    service = world.machine.devices.get().services.get(name="modbus").public_id
    fields: dict[str, str | int] = {"stream": "str_aaaaaaaaaaaaaaaa", "service": service, **REFUSED, **other}
    return report(world, "operation.refused", session, **fields)


def page(world: World, address: str, language: str = "en") -> str:
    Person.objects.filter(pk=world.owner.pk).update(language=language)
    return shown(signed_in(fresh(world.owner)), address)


def test_whoever_approves_reads_what_may_be_done_and_what_will_be_seen(observed: World) -> None:
    text = page(observed, f"/requests/{observed.request()}/")
    assert "identify, read, keep the connection" in text
    assert "decoded: each operation, with target and values" in text
    assert "left out: it cannot be decoded" in text
    assert "no inspection" not in text


def test_without_a_profile_the_page_says_plainly_that_nothing_is_inspected(linked: World) -> None:
    text = page(linked, f"/requests/{linked.request()}/")
    assert "no inspection" in text
    assert "Whatever the tool sends passes" in text
    assert "metadata only" in text
    assert "each operation" not in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Operation on a device refused", "the profile does not allow this function", "write-single-register")),
        ("it", ("Operazione su un dispositivo respinta", "il profilo non permette questa funzione", "scrivere")),
        ("ja", ("機器への操作を却下しました", "プロファイルはこの機能を許可していません", "書き込み")),
    ],
)
def test_a_refused_operation_is_on_the_page_of_its_session_and_in_the_register(
    observed: World, language: str, words: tuple[str, ...]
) -> None:
    session = refused(observed)
    for address in (f"/sessions/{session.public_id}/", "/events/"):
        text = page(observed, address, language)
        assert [word for word in words if word not in text] == []
        assert "holding 104" in text


def test_names_that_a_client_sent_are_text_on_every_page(observed: World) -> None:
    session = refused(observed, targets="tag <script>alert(1)</script>", function="<b>", route="unit \u202e3")
    for address in (f"/sessions/{session.public_id}/", "/events/"):
        text = page(observed, address)
        assert "<script>alert(1)" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "<b>" not in text


def test_a_session_under_a_profile_says_so_and_that_nothing_was_refused_yet(observed: World) -> None:
    session = accepted(observed, started(observed))
    text = page(observed, f"/sessions/{session.public_id}/")
    assert "Refused operations" in text
    assert "None so far." in text
    assert "inspected" in text


def test_the_machines_page_says_which_services_can_be_decoded_and_under_which_profile(observed: World) -> None:
    text = page(observed, f"/machines/{observed.machine.public_id}/")
    assert "function profile observe" in text
    assert "can be decoded" in text
    assert "metadata only" in text


def test_the_register_keeps_what_was_set_up(observed: World) -> None:
    event = audit.views(audit.events(fresh(observed.owner)).filter(code="access.rule.changed")[:1])[0]
    assert event.fields["only_decoded"] is True
    assert str(event.fields["profile"]).startswith("prf_")


def test_a_yes_counts_only_for_the_profile_that_was_shown(observed: World) -> None:
    """Somebody widens the rule while the page is open elsewhere."""
    request = observed.request()
    browser = signed_in(fresh(observed.owner))
    [profile] = re.findall(r'name="profile" value="(prf_[a-z2-7]{16})"', shown(browser, f"/requests/{request}/"))
    access.change_rule(actor=observed.owner, rule=observed.rule, profile="firmware")
    for given in (profile, ""):
        answer = browser.post(f"/requests/{request}/approve/", {"reason": "", "profile": given})
        assert "what may be done was changed since you looked" in answer.content.decode()
    assert not Grant.objects.exists()
    access.change_rule(actor=observed.owner, rule=observed.rule, profile="observe")
    assert browser.post(f"/requests/{request}/approve/", {"reason": "", "profile": profile}).status_code == 302
    assert Grant.objects.get().profile is not None


def test_what_was_seen_stands_beside_what_the_service_is_called(observed: World) -> None:
    """With a warning only where both are names of ours, and not the same."""
    session = accepted(observed, started(observed))
    services = {each.name: each.public_id for each in observed.machine.devices.get().services.all()}
    for name, service, seen in (
        ("str_a", "Shell", "vnc"), ("str_b", "Shell", "ssh"), ("str_c", "", "tls"), ("str_d", "Shell", "<b>"),
        ("str_e", "Shell", ""), ("str_f", "Shell", "unknown"),
    ):  # fmt: skip
        known = services.get(service, "")
        report(observed, "stream.opened", session, stream=name, service=known, address="192.168.10.5", port=22)
        report(observed, "stream.closed", session, stream=name, how="finished", recognised=seen)
    text = page(observed, f"/sessions/{session.public_id}/")
    assert re.search(r'state-wait">.{0,300}?called SSH, seen: VNC', text, re.DOTALL)
    assert len(re.findall(r'state-wait">(?:(?!</span>).)*seen:', text, re.DOTALL)) == 1
    assert all(words in text for words in ("called SSH, seen: SSH", ">seen: TLS<", "seen: unknown protocol"))
    assert "seen: &lt;b&gt;" in text
    assert text.count("seen:") == 5
    assert "dichiarato SSH, visto: VNC" in page(observed, f"/sessions/{session.public_id}/", "it")
    assert "登録上は SSH、実際の通信: VNC" in page(observed, f"/sessions/{session.public_id}/", "ja")
