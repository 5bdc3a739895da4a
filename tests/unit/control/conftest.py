# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.unit.control.django_state import start

start()
