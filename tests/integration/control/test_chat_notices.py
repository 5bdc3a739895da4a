# SPDX-License-Identifier: Apache-2.0
"""Notifications in a chat: text of strangers stays text by the rules of each, and the one link is ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async as in_thread
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.access.models import AccessRequest
from portineria.control.console.notice_chat import slack, teams
from portineria.control.identity.models import Person
from portineria.control.notification import collecting, queries, services
from portineria.control.notification.models import Delivery, Webhook, WebhookForm
from portineria.control.settings.server import ServerSettings
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.test_notifications import nothing_new, notifying, states, webhooks_to
from tests.integration.control.test_sinks import until
from tests.integration.control.world import World
from tests.integration.sinks.endpoint import Endpoint, Reply, Request, serving

URL = "https://console.example"
HOSTILE = (
    "<!channel> <https://evil.example|pay> & *b* `c` [x](https://evil.example) <at>all</at> {{DATE(2026-01-01)}} "
    "${secret} @{body} &lt; \u202e\r\n# head :smile:"
)


class Chat(Endpoint):
    """As both document it: JSON in, a short text out. No signature is sent to who checks none."""

    def answer(self, request: Request) -> Reply:
        self.expect(request.headers["content-type"] == "application/json", "content type")
        self.expect(not any(name.startswith("webhook-") for name in request.headers), "a signature")
        self.kept.append((request.path, json.loads(request.body)))
        return 200, {"Content-Type": "text/plain"}, b"ok"


def within(content: Any, kind: str) -> Iterator[dict[str, Any]]:
    """Every object of this type."""
    if isinstance(content, dict):
        if content.get("type") == kind:
            yield content
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from within(one, kind)


def notice(world: World) -> Any:
    nothing_new(world)
    Person.objects.filter(pk=world.technician.pk).update(name="Tech <!here> [n](https://evil.example)")
    access.make_request(actor=world.technician, machine=world.machine.public_id, reason="x", minutes=30)
    AccessRequest.objects.update(reason=" ".join(HOSTILE.split()))  # of before what is not seen was refused
    collecting.collect(world.organisation, timezone.now(), mail=False)
    return queries.notifications(world.owner).get()


@pytest.mark.sqlite
def test_slack_reads_text_as_text_and_one_link(world: World) -> None:
    row = notice(world)
    content = json.loads(slack(row, URL))
    plain, markup = list(within(content, "plain_text")), list(within(content, "mrkdwn"))
    for text in [content["text"], *(one["text"] for one in plain)]:
        assert not set(text) & {"<", ">"}
        assert text.isprintable()
    assert [one["text"] for one in markup] == [f"<{URL}/requests/{row.thing}/|Open it in the console>"]
    said = [one["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for one in plain]
    reason = next(text for text in said if text.startswith("Reason: "))
    assert reason.startswith("Reason: <!channel> <https: //evil.example|pay> & *b*")
    assert "&lt;" in reason  # what was typed so is shown so
    assert all(one["emoji"] is False for one in plain)
    assert (content["mrkdwn"], content["unfurl_links"]) == (False, False)


@pytest.mark.sqlite
def test_teams_reads_runs_without_markdown_and_one_link(world: World) -> None:
    row = notice(world)
    content = json.loads(teams(row, URL))
    [attachment] = content["attachments"]
    card = attachment["content"]
    assert (content["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert {one["type"] for one in card["body"]} == {"RichTextBlock"}
    runs = [run["text"] for run in within(card, "TextRun")]
    assert not any("{{" in text or "${" in text or "://" in text for text in runs)
    assert any("[x](https: //evil.example)" in text for text in runs)
    assert [action["url"] for action in card["actions"]] == [f"{URL}/requests/{row.thing}/"]
    assert json.dumps(content).count("://") == 2  # that link and the schema's name
    assert len(json.dumps(content)) < 28_000


@pytest.mark.sqlite
async def test_they_are_brought_without_a_signature_and_again_until_they_are_taken(committed_world: World) -> None:
    world, chat = committed_world, Chat()
    chat.faults = [(500, {}, b"")]
    await in_thread(nothing_new)(world)
    with serving(chat) as address, webhooks_to(address.removeprefix("http://")):
        for person, form in ((world.owner, WebhookForm.SLACK), (world.approver, WebhookForm.TEAMS)):
            secret = await in_thread(services.set_webhook)(actor=person, address=f"{address}/{form}/T0", form=form)
            assert secret == ""
        async with notifying(ServerSettings(public_url=URL)):
            await in_thread(world.request)()
            await until(lambda: Delivery.objects.filter(state="waiting", attempts=1).exists(), "one was refused")
            await in_thread(Delivery.objects.filter(state="waiting").update)(next_at=timezone.now())
            await until(states("sent", 2), "both")
    assert chat.wrong == []
    assert {path: set(content) >= {"blocks"} for path, content in chat.kept} == {"/slack/T0": True, "/teams/T0": False}


def test_the_address_of_a_chat_is_a_secret_and_is_chosen_on_the_page(world: World) -> None:
    owner = signed_in(world.owner)
    address = "https://hooks.example/services/T0/B0/geheim"
    with webhooks_to("hooks.example"):
        page = owner.post("/notifications/webhook/", {"webhook": address, "form": "slack"}, follow=True)
        assert "whsec_" not in page.content.decode()
        row = Webhook.objects.get()
        assert (row.form, row.address, b"geheim" in bytes(row.wrapped)) == ("slack", "https://hooks.example/…", False)
        assert services.opened(row) == (address, "")
        assert "geheim" not in shown(owner, "/notifications/choices/")
        assert owner.post("/notifications/webhook/", {"webhook": address, "form": "irc"}).status_code == 200
        assert Webhook.objects.get().form == "slack"
        evil = {"webhook": "https://evil.example/x", "form": "teams"}
        assert "evil" not in str(owner.post("/notifications/webhook/", evil).headers.get("Location", ""))
        assert services.opened(Webhook.objects.get())[0] == address
        assert "whsec_" in owner.post("/notifications/webhook/", {"webhook": address}).content.decode()
        assert Webhook.objects.get().address == address
