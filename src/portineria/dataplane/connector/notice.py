# SPDX-License-Identifier: Apache-2.0
"""What the machine's owner tells before work begins: shown here, acknowledged only by whoever says so."""

import msgspec

from portineria.core.errors import Denied
from portineria.dataplane.connector.api import segment
from portineria.dataplane.connector.patience import Patience
from portineria.dataplane.connector.session import Tell

_QUESTIONS = {
    "en": ("What is recorded", "Why", "Who may see it", "How long it is kept"),
    "it": ("Che cosa viene registrato", "Perché", "Chi può vederlo", "Per quanto tempo si conserva"),
    "ja": ("記録されるもの", "目的", "閲覧できる人", "保存期間"),
}


class NoticeMissing(Denied):
    """It was shown, and not acknowledged."""

    code = "access.notice"


class Notice(msgspec.Struct):
    """GET /api/v1/notices/{organisation}."""

    name: str
    number: int
    language: str
    what: str
    why: str
    who: str
    how_long: str


async def read(patience: Patience, organisation: str, tell: Tell, *, accept: bool) -> None:
    """Show the notice; with ``accept`` say that it was read. Raise NoticeMissing without."""
    path = f"/api/v1/notices/{segment(organisation)}"
    notice = await patience.ask("GET", path, Notice)
    tell("notice.head", name=notice.name, number=notice.number)
    questions = _QUESTIONS.get(notice.language, _QUESTIONS["en"])
    answers = (notice.what, notice.why, notice.who, notice.how_long)
    for question, answer in zip(questions, answers, strict=True):
        tell("notice.line", text=f"{question}:")
        for line in answer.splitlines():
            tell("notice.line", text=f"  {line}")
    if not accept:
        raise NoticeMissing(f"notice {notice.number} of {organisation}")
    said = {"number": notice.number, "language": notice.language}
    await patience.ask("POST", f"{path}/acknowledge", Notice, said)
    tell("notice.acknowledged", number=notice.number)
