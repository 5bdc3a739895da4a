# SPDX-License-Identifier: Apache-2.0
"""Of whom approvals are asked, as every answer says it."""

from typing import Any

from ninja import Schema

from portineria.control.access.levels import Asked


class LevelView(Schema):
    """Of whom so many yeses are asked: a group's, these people's, or of whoever approves where neither is named."""

    approvals: int
    group: str | None
    people: list[str]


def level_fields(asked: Asked) -> dict[str, Any]:
    group = asked.group.public_id if asked.group is not None else None
    return {"approvals": asked.needed, "group": group, "people": [person.public_id for person in asked.people]}
