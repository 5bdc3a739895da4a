# SPDX-License-Identifier: Apache-2.0
"""The REST API's description of itself, made when first asked for: it takes a second, which whoever collects the tests
would spend too.
"""

from __future__ import annotations

from typing import Any

from portineria.control.rest.api import api


def described() -> dict[str, Any]:
    made: dict[str, Any] = api.get_openapi_schema()
    return made
