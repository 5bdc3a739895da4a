# SPDX-License-Identifier: Apache-2.0
"""A notification as a message in a chat: Slack's incoming webhook, and the card that a workflow of Teams posts.

What strangers wrote is text there and nothing else: no link, no mention, no formatting, in the way that each of the two
documents. The one link is ours, to a page that asks for the sign-in; nothing is decided in a chat.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from portineria.control.console.notice_letter import as_read_by, body, facts, quoted
from portineria.control.console.notices import Notice, notices
from portineria.control.notification.models import Notification, WebhookForm
from portineria.sinks.record import encode

_SLACK_TEXT = 2900  # characters of a block; 3000 by its documents
_CARD = "application/vnd.microsoft.card.adaptive"
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


def slack(row: Notification, public_url: str) -> bytes:
    """Of the three characters that mean something in its text objects none is left; nothing of ``text`` is markup."""
    with as_read_by(row.person):
        [notice] = notices(row.person, [row])
        plain = [_plain(f"{label}: {value}") for label, value in _said(notice)]
        link = f"<{_entities(public_url + notice.path)}|{_entities(_open_it())}>"
        return encode(
            {
                "text": _entities(notice.sentence),
                "mrkdwn": False,
                "unfurl_links": False,
                "unfurl_media": False,
                "blocks": [
                    _plain(notice.sentence),
                    *plain,
                    {"type": "section", "text": {"type": "mrkdwn", "text": link, "verbatim": True}},
                    {"type": "context", "elements": [_plain(_elsewhere())["text"]]},
                ],
            }
        )


def _plain(text: str) -> dict[str, Any]:
    words = {"type": "plain_text", "text": _entities(text)[:_SLACK_TEXT], "emoji": False}
    return {"type": "section", "text": words}


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(row: Notification, public_url: str) -> bytes:
    """Runs of text, in which Markdown means nothing; in text blocks and facts it would."""
    with as_read_by(row.person):
        [notice] = notices(row.person, [row])
        card = {
            "$schema": _SCHEMA,
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                _runs({"text": notice.sentence, "weight": "Bolder", "size": "Medium"}),
                *(_runs({"text": f"{label}: ", "weight": "Bolder"}, {"text": value}) for label, value in _said(notice)),
                _runs({"text": _elsewhere(), "isSubtle": True, "size": "Small"}),
            ],
            "actions": [{"type": "Action.OpenUrl", "title": _open_it(), "url": f"{public_url}{notice.path}"}],
        }
        attachment = {"contentType": _CARD, "contentUrl": None, "content": card}
        return encode({"type": "message", "attachments": [attachment]})


def _runs(*runs: dict[str, Any]) -> dict[str, Any]:
    """Neither a date of the card's own language nor an expression of its templates stands in a text."""
    calm = [{**run, "type": "TextRun", "text": run["text"].replace("{{", "{ {").replace("${", "$ {")} for run in runs]
    return {"type": "RichTextBlock", "inlines": calm}


def _said(notice: Notice) -> Iterator[tuple[str, str]]:
    yield from facts(notice)
    if notice.reason:
        yield _("Reason"), quoted(notice.reason)


def _open_it() -> str:
    return _("Open it in the console")


def _elsewhere() -> str:
    return _("You sign in there as always. Nothing is decided in this chat.")


BODIES: Mapping[str, Callable[[Notification, str], bytes]] = {
    WebhookForm.SIGNED.value: body,
    WebhookForm.SLACK.value: slack,
    WebhookForm.TEAMS.value: teams,
}
