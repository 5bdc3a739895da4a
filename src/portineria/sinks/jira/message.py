# SPDX-License-Identifier: Apache-2.0
"""Texts as Jira reads them: documents in the Cloud (Atlassian Document Format), wiki markup in a Data Center. Pure."""

import re
from typing import Any

from portineria.sinks.outgoing import Outgoing
from portineria.sinks.record import encode
from portineria.sinks.ticket_text import words

_END = re.compile(r"\{(?=noformat)", re.IGNORECASE)


def document(text: str) -> dict[str, Any]:
    """Nothing in it is markup: a text is a text."""
    block = {"type": "codeBlock", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [block]}


def markup(text: str) -> str:
    """Between two marks nothing is markup but the second of them."""
    return "{noformat}\n" + _END.sub("{ ", text) + "\n{noformat}"


def message(event: Outgoing) -> bytes:
    return encode(document(words(event)))
