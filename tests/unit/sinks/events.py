# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime

from portineria.core.event import CATALOGUE, DataClass, Value
from portineria.core.event_meaning import meaning_of, techniques_of
from portineria.sinks.outgoing import Outgoing

AT = datetime(2026, 11, 26, 12, 30, 15, 250_000, tzinfo=UTC)


def outgoing(code: str = "operation.refused", seq: int = 7, /, **fields: Value) -> Outgoing:
    meaning = meaning_of(code)
    return Outgoing(
        "console.example", "0.1", "org_aaaaaaaaaaaaaaaa", seq, AT, code, "per_aaaaaaaaaaaaaaaa",
        meaning.severity, meaning.outcome, "ab" * 32, techniques_of(code, fields), fields,
    )  # fmt: skip


def of_every_code() -> list[Outgoing]:
    """With every field that is not secret."""
    return [
        outgoing(code, seq, **{name: f"{name} of it" for name, kind in fields.items() if kind is not DataClass.SECRET})
        for seq, (code, fields) in enumerate(CATALOGUE.items(), 1)
    ]
