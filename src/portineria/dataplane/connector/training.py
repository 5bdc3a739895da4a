# SPDX-License-Identifier: Apache-2.0
"""What the machine's owner wants read and confirmed before work: shown here, confirmed only by whoever says so."""

from collections.abc import Sequence

import msgspec

from portineria.core.errors import Denied
from portineria.dataplane.connector.api import segment
from portineria.dataplane.connector.patience import Patience
from portineria.dataplane.connector.session import Tell


class TrainingMissing(Denied):
    """It was shown, and not confirmed."""

    code = "access.training"


class Training(msgspec.Struct):
    """GET /api/v1/trainings/{training}."""

    name: str
    organisation: str
    number: int
    language: str
    text: str
    link: str


async def read(patience: Patience, trainings: Sequence[str], tell: Tell, *, confirm: bool) -> None:
    """Show each; with ``confirm`` say that it was read. Raise TrainingMissing without, once all were shown."""
    for one in trainings:
        path = f"/api/v1/trainings/{segment(one)}"
        shown = await patience.ask("GET", path, Training)
        tell("training.head", owner=shown.organisation, name=shown.name, number=shown.number)
        for line in (*shown.text.splitlines(), *([shown.link] if shown.link else [])):
            tell("notice.line", text=f"  {line}")
        if confirm:
            said = {"number": shown.number, "language": shown.language}
            await patience.ask("POST", f"{path}/confirm", Training, said)
            tell("training.confirmed", name=shown.name, number=shown.number)
    if not confirm:
        raise TrainingMissing(" ".join(trainings))
