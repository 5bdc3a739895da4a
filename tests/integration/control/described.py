# SPDX-License-Identifier: Apache-2.0
"""The REST API's description of itself, made once: it takes a second, in every process that collects the tests."""

from __future__ import annotations

from typing import Any

from portineria.control.rest.api import api

DESCRIBED: dict[str, Any] = api.get_openapi_schema()
