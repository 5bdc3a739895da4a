# SPDX-License-Identifier: Apache-2.0
"""Setting an organisation up from a template, and what differs from it afterwards."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portineria.control.access.withdrawal import withdraw
from portineria.control.audit.queries import events, views
from portineria.control.declaration.document import Faulty, parse_declaration
from portineria.control.declaration.operation import propose
from portineria.control.declaration.template import drift
from portineria.control.identity.delegation_models import Delegation, Power
from portineria.control.identity.template_models import Template
from portineria.control.privacy.models import Notice
from portineria.control.privacy.services import publish_notice
from portineria.control.remote_sessions.refusals import NotPermitted
from portineria.control.sinks.models import Sink
from tests.integration.control.browsing import signed_in
from tests.integration.control.delegated import Provider, provider
from tests.integration.control.sessions import started
from tests.integration.control.test_second_yes import CLOSED, busy
from tests.integration.control.world import World, fresh

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is

ANSWERS = '{ what = "operations", why = "safety", who = "the plant", how_long = "a year" }'
TEMPLATE = """
[organisation]
name = "Whoever it is for"
[[plant]]
name = "South"
time_zone = "Asia/Tokyo"
[[person]]
name = "Newcomer"
email = "newcomer@example.com"
role = "approver"
[[sink]]
name = "SOC"
kind = "syslog"
settings = { host = "192.0.2.1", port = "514", transport = "udp" }
codes = ["access."]
[[sink]]
name = "Indexer"
kind = "splunk"
settings = { address = "https://splunk.example:8088" }
[notice]
en = %(answers)s
it = %(answers)s
ja = %(answers)s
[[delegation]]
provider = "%(provider)s"
powers = ["decide", "lock"]
"""


def template(watchful: Provider) -> str:
    return TEMPLATE % {"answers": ANSWERS, "provider": watchful.organisation}


def kept(client: Client, address: str, text: str) -> Any:
    return client.post(address, {"file": SimpleUploadedFile("template.toml", text.encode())}, follow=True)


def test_a_customer_is_set_up_from_a_template_and_sees_what_drifted(world: World) -> None:
    watchful, client = provider(), signed_in(world.owner, proved=True)
    address = f"/template/{world.organisation}/"
    assert client.post(f"{address}compare/").status_code == 404
    assert "not a TOML file" in kept(client, address, "it is = no file [").content.decode()
    assert not Template.objects.exists()
    assert kept(client, address, template(watchful)).status_code == 200
    page = client.post(f"{address}compare/").content.decode()
    for said in ("plant South", "sink SOC: syslog", "sink Indexer needs a secret", "estate work decide lock", "notice"):
        assert said in page
    assert (Sink.objects.count(), Notice.objects.count(), Delegation.objects.count()) == (0, 0, 0)
    seal = re.search(r'name="seal" value="(\w+)"', page)
    assert seal is not None
    # What differs by now is not what was looked at.
    assert "Compare again" in client.post(f"{address}apply/", {"seal": "0" * 64}, follow=True).content.decode()
    applied = client.post(f"{address}apply/", {"seal": seal[1]})
    assert "newcomer@example.com" in applied.content.decode()
    assert Sink.objects.get().codes == ["access."]
    assert Notice.objects.get().texts.count() == 3
    assert Delegation.objects.get().powers == [Power.ESTATE, Power.WORK, Power.DECIDE, Power.LOCK]

    row = Template.objects.get()
    still = drift(fresh(world.owner), row)
    assert (still.added, still.changed, still.kept) == ((), (), ())
    assert still.waiting == ("sink Indexer needs a secret: add it in the console",)
    publish_notice(actor=world.owner, organisation=world.organisation)
    Sink.objects.update(settings={"host": "192.0.2.66", "port": "514", "transport": "udp"})
    withdraw(actor=fresh(world.owner), delegation=Delegation.objects.get().public_id, reason="x")
    later = drift(fresh(world.owner), row)
    assert later.added == (f"delegation to {watchful.organisation}: estate work decide lock",)
    assert later.changed == ("notice: another version, read before work begins anew",)
    assert later.kept == ("sink SOC: host is 192.0.2.66, declared 192.0.2.1",)
    assert later.drifted


def test_what_was_not_shown_is_not_applied_and_many_sessions_are_asked_for(linked: World) -> None:
    w, browser, address = linked, signed_in(linked.owner, proved=True), f"/template/{linked.organisation}/"
    text = 'organisation = { name = "x" }\n' + CLOSED
    text += '[[person]]\nname = "Eve"\nemail = "eve@example.com"\nrole = "administrator"\n'
    rows = busy(w, 7)
    kept(browser, address, text)
    page = browser.post(f"{address}compare/").content.decode()
    assert page.count("Technician · Press") == len(rows)
    seal = re.search(r'name="seal" value="(\w+)"', page)
    assert seal is not None
    with pytest.raises(NotPermitted):
        started(w)
    kept(browser, address, text + "# another one\n")
    assert "Compare again" in browser.post(f"{address}apply/", {"seal": seal[1]}, follow=True).content.decode()
    again = re.search(r'name="seal" value="(\w+)"', browser.post(f"{address}compare/").content.decode())
    assert again is not None
    applied = browser.post(f"{address}apply/", {"seal": again[1]}).content.decode()
    assert "password/reset/key" in applied
    made = {view.code: view.actor for view in views(events(fresh(w.owner))[:12])}
    assert made["identity.person.created"] == made["identity.person.invited"] == w.owner.public_id
    unproved = signed_in(fresh(w.owner)).post(f"{address}apply/", {"seal": again[1]})
    assert unproved.headers["Location"].startswith("/accounts/2fa/reauthenticate/")


def test_a_template_is_the_administrators_of_its_organisation(world: World) -> None:
    for who, status in ((world.operator, 403), (world.technician, 404), (world.stranger, 404)):
        client = signed_in(who, proved=True)
        for part in ("", "compare/", "apply/"):
            assert client.post(f"/template/{world.organisation}/{part}").status_code == status, (who, part)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[[sink]]\nname = "x"\nkind = "carrier pigeon"', "no sink of kind"),
        ('[[sink]]\nname = "x"\nkind = "syslog"\ncodes = ["nothing."]', "fit no event"),
        ('[[sink]]\nname = "x"\nkind = "splunk"\nsettings = { token = "hunter2" }', "is a secret"),
        (f"[notice]\nen = {ANSWERS}", "a notice is in"),
        ('[[delegation]]\nprovider = "org_aaaaaaaaaaaaaaaa"\npowers = ["estate"]', "another organisation"),
        ('[[delegation]]\nprovider = "x"\npowers = ["everything"]', "Invalid enum value"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(world: World, text: str, fault: str) -> None:
    with pytest.raises(Faulty, match=fault):
        propose(parse_declaration(text.encode(), "Owner's plant"))
