# SPDX-License-Identifier: Apache-2.0
"""What schemathesis thinks of, sent to the REST API. Apart from the test: it takes half a second to load, in every
process that collects.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

DEEP = bool(os.environ.get("PORTINERIA_DEEP"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    negative_data_rejection,
]  # fmt: skip
EXAMPLES = settings(
    max_examples=40 if DEEP else 2, derandomize=not DEEP, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Asking:
    """Sends what schemathesis thinks of, about things that are there every other time, by callers in turn."""

    def __init__(self, url: str, things: dict[str, Any], callers: list[dict[str, str]]) -> None:
        self._url, self._things, self._callers = url, things, callers
        self.answers: Counter[int] = Counter()

    def some(self, cases: SearchStrategy[schemathesis.Case[Any]], mode: GenerationMode) -> None:
        @EXAMPLES
        @given(case=cases)
        def examples(case: schemathesis.Case[Any]) -> None:
            self.ask(case, mode)

        examples()

    def ask(self, case: schemathesis.Case[Any], mode: GenerationMode) -> None:
        number = self.answers.total()
        if mode is GenerationMode.POSITIVE and number % 3:
            case.path_parameters.update(
                {name: self._things[name] for name in case.path_parameters if name in self._things}
            )
        headers = self._callers[number % len(self._callers)]
        answer = case.call(base_url=self._url, headers=headers)
        while answer.status_code == 429:
            time.sleep(int(answer.headers["retry-after"][0]))
            answer = case.call(base_url=self._url, headers=headers)
        case.validate_response(answer, checks=CHECKS)
        self.answers[answer.status_code] += 1

    def about_everything(self, described: dict[str, Any]) -> int:
        """How many operations were tried."""
        schema = schemathesis.openapi.from_dict(described)
        schema.config.generation.update(with_security_parameters=False)  # the callers bring theirs
        found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
        for operation in found:
            said = described["paths"][operation.path][operation.method.lower()]
            nothing_to_get_wrong = not said["parameters"] and "requestBody" not in said
            for mode in [GenerationMode.POSITIVE] if nothing_to_get_wrong else GenerationMode:
                self.some(operation.as_strategy(mode), mode)
        return len(found)
