# SPDX-License-Identifier: Apache-2.0
"""Events of the register as one sink may have them: its filter, its personal fields, its pseudonyms."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portineria import __version__
from portineria.control.audit.models import Event
from portineria.control.sinks.models import Personal, Sink
from portineria.core.event import UnknownEvent, Value
from portineria.core.event_meaning import UNKNOWN, Meaning, meaning_of, techniques_of
from portineria.ledger import leaf as leaves
from portineria.sinks.outgoing import Outgoing

PSEUDONYM_CHARACTERS = 32  # 128 bits


@dataclass(frozen=True, slots=True)
class Leaving:
    """``source``: the host name of the console."""

    sink: Sink
    pseudonym_key: bytes
    source: str

    def wants(self, event: Event) -> bool:
        if self.sink.codes and not event.code.startswith(tuple(self.sink.codes)):
            return False
        return _meaning(event.code).severity <= self.sink.severity

    def outgoing(self, event: Event) -> Outgoing:
        """``event`` with its personal values, where they are wanted."""
        content = leaves.decode(bytes(event.leaf))
        public: dict[str, Any] = content["fields"]
        meaning = _meaning(event.code)
        return Outgoing(
            self.source, __version__, event.organisation, event.seq, event.at, event.code, event.actor,
            meaning.severity, meaning.outcome, bytes(event.leaf_sha256).hex(),
            techniques_of(event.code, public), {**public, **self._personal(event)},
        )  # fmt: skip

    def _personal(self, event: Event) -> Mapping[str, Value]:
        if self.sink.personal == Personal.NONE:
            return {}
        kept = {value.field: value.value for value in event.personal_values.all() if value.value is not None}
        if self.sink.personal == Personal.VALUES:
            return kept
        return {name: self.pseudonym(value) for name, value in kept.items()}

    def pseudonym(self, value: str) -> str:
        return hmac.new(self.pseudonym_key, value.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_CHARACTERS]


def _meaning(code: str) -> Meaning:
    try:
        return meaning_of(code)
    except UnknownEvent:
        return UNKNOWN
