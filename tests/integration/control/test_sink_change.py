# SPDX-License-Identifier: Apache-2.0
"""A sink changed where it stands: its cursor, secrets and pseudonyms stay, and no secret goes where nobody sent it."""

from __future__ import annotations

import base64

import pytest

from portineria.control.audit.models import Event
from portineria.control.identity.services import NameTaken
from portineria.control.sinks import changing, progress, secret, services
from portineria.control.sinks.models import DeadLetter, Personal, Sink
from portineria.control.sinks.services import Wanted
from portineria.core.errors import Denied, NotFound
from portineria.core.event_meaning import Severity
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.test_sinks import add, delivered, delivering, reached, say, until
from tests.integration.control.world import World, fresh
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.endpoint import Webhooks, serving

SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"
OTHER = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
ALL = Wanted()
PLACE = {"address": "https://siem.example/x", "secret": SECRET}


def again(sink: Sink) -> Sink:
    return Sink.objects.get(pk=sink.pk)


def change(world: World, sink: Sink, settings: dict[str, str], name: str = "SIEM", wanted: Wanted = ALL) -> Sink:
    return changing.change_sink(
        actor=fresh(world.owner), sink=sink.public_id, name=name, settings=settings, wanted=wanted
    )


def test_on_its_page_a_sink_is_changed_and_keeps_cursor_secret_and_pseudonyms(world: World) -> None:
    sink = add(world, PLACE, kind="webhook")
    Sink.objects.filter(pk=sink.pk).update(delivered=3, failures=7, error="HTTP 500")
    DeadLetter.objects.create(sink=sink, seq=2, why="x")
    pseudonyms = secret.pseudonym_key(sink)
    owner, address = signed_in(world.owner), f"/sinks/{sink.public_id}/change/"
    page = shown(owner, address)
    assert "https://siem.example/x" in page
    assert SECRET not in page
    form = {"name": "SOC", "severity": "4", "personal": "pseudonyms", "codes": ["session."],
            "setting_address": PLACE["address"]}  # fmt: skip
    assert owner.post(address, form).headers["Location"] == f"/sinks/{sink.public_id}/"
    row = again(sink)
    assert (row.name, row.severity, row.personal, row.codes) == (
        "SOC",
        4,
        "pseudonyms",
        ["session.", "order.", "recording."],
    )
    assert (row.delivered, row.failures, row.error, row.version) == (3, 0, "", 2)
    assert row.dead_letters.count() == 1
    assert secret.secrets_of(row)["secret"] == SECRET
    assert secret.pseudonym_key(row) == pseudonyms
    assert 'value="session." checked' in shown(owner, address).replace(' id="id_codes_2"', "")
    owner.post(address, {**form, "setting_secret": OTHER})
    assert secret.secrets_of(again(sink))["secret"] == OTHER
    owner.post(address, form)
    assert again(sink).version == 3  # nothing was another
    told = Event.objects.filter(organisation=world.organisation, code="sinks.sink.changed").order_by("seq")
    assert told.count() == 2
    assert b"whsec" not in b"".join(bytes(event.leaf) for event in told)


@pytest.mark.sqlite
def test_a_kept_secret_goes_to_no_other_receiver(world: World) -> None:
    sink, owner = add(world, PLACE, kind="webhook"), signed_in(world.owner)
    for moved in ({"address": "https://evil.example/x"}, {"authorities": Authority().certificate}):
        with pytest.raises(changing.SecretsAgain):
            change(world, sink, {**sink.settings, **moved})
    form = {"name": "SIEM", "severity": "6", "personal": "none", "setting_address": "https://evil.example/x"}
    assert "Give its secrets anew" in owner.post(f"/sinks/{sink.public_id}/change/", form).content.decode()
    assert again(sink).settings["address"] == PLACE["address"]
    owner.post(f"/sinks/{sink.public_id}/change/", {**form, "setting_secret": OTHER})
    assert again(sink).settings["address"] == "https://evil.example/x"
    assert secret.secrets_of(again(sink))["secret"] == OTHER
    certificate, key = Authority().issue("portineria")
    tls = {"host": "siem.example", "port": "6514", "transport": "tls", "certificate": certificate, "key": key}
    line = add(world, tls, name="Log")
    shown_settings = {name: value for name, value in line.settings.items() if name != "key"}
    change(world, line, {**shown_settings, "host": "other.example"}, "Log")  # our own key is never sent
    assert secret.secrets_of(again(line)) == {"key": key.strip()}
    change(world, line, {**shown_settings, "certificate": "", "key": ""}, "Log")
    assert secret.secrets_of(again(line)) == {"key": ""}
    with pytest.raises(services.BadSinkSetting):
        change(world, sink, {"address": "https://evil.example/x", "secret": ""})
    with pytest.raises(NameTaken):
        change(world, sink, {"address": "https://evil.example/x"}, "Log")


def test_a_batch_on_its_way_counts_for_the_sink_that_it_was_made_by(world: World) -> None:
    sink = add(world, PLACE, kind="webhook")
    say(world, 3)
    batch = progress.next_batch(sink.pk, 500, "console.example")
    assert batch is not None
    change(world, sink, dict(sink.settings), wanted=Wanted(Personal.NONE, ("identity.",), Severity.INFORMATIONAL))
    assert not progress.note_taken(batch, batch.end, sent=len(batch.events))
    assert delivered(sink) == batch.begin


@pytest.mark.sqlite
async def test_what_follows_goes_to_the_new_receiver_without_a_gap(committed_world: World) -> None:
    from asgiref.sync import sync_to_async as in_thread

    world, first, second = committed_world, Webhooks(bytes(32)), Webhooks(bytes(range(32)))
    with serving(first) as old, serving(second) as new:
        sink = await in_thread(add)(world, {"address": old, "secret": SECRET}, kind="webhook")
        async with delivering():
            seq = await in_thread(say)(world, 5)
            await until(lambda: reached(sink, seq), "to the old one")
            await in_thread(change)(world, sink, {"address": new, "secret": OTHER})
            last = await in_thread(say)(world, 5)
            await until(lambda: reached(sink, last), "to the new one")
    assert first.wrong == second.wrong == []
    old_seqs, new_seqs = ([seq for _key, seq in endpoint.kept] for endpoint in (first, second))
    assert old_seqs + new_seqs == list(range(old_seqs[0], last + 1))


def test_only_whoever_administers_changes_and_the_api_leaves_what_it_is_not_told(world: World) -> None:
    sink = add(world, PLACE, kind="webhook", wanted=Wanted(Personal.NONE, ("access.grant.",), Severity.NOTICE))
    for who, refused in ((world.operator, Denied), (world.technician, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refused):
            changing.change_sink(actor=fresh(who), sink=sink.public_id, name="x", settings={}, wanted=Wanted())
    path, owner = f"/sinks/{sink.public_id}/change", Browser(world.owner)
    answer = owner.post(path, {"severity": 3})
    assert (answer.status_code, answer.json()["name"]) == (200, "SIEM")
    row = again(sink)
    assert (row.severity, row.codes, row.settings["address"]) == (3, ["access.grant."], PLACE["address"])
    page = {"name": "SIEM", "severity": "3", "personal": "none", "setting_address": PLACE["address"]}
    signed_in(world.owner).post(f"/sinks/{sink.public_id}/change/", page)
    assert again(sink).codes == ["access.grant."]  # no box of the page stands for it
    assert owner.post(path, {"settings": {"address": "https://evil.example"}}).json()["code"] == "sinks.secrets-again"
    assert owner.post(path, {"settings": {"port": "1"}}).json()["code"] == "sinks.setting"
    assert owner.post(path, {"kind": "syslog"}).status_code == 422
    assert Browser(world.stranger).post(path, {"severity": 3}).status_code == 404
