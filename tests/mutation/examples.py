# SPDX-License-Identifier: Apache-2.0
"""The conftest.py of the mutated copy: each mutant meets the same few examples, after the tables."""

import pytest
from hypothesis import HealthCheck, Phase, settings

from portineria.policy.windows import parse_windows

settings.register_profile(
    "mutation",
    derandomize=True,
    max_examples=30,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("mutation")


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """What mutmut's own process parsed, unchanged, would hide a change of the parser from each process it forks."""
    parse_windows.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: hasattr(getattr(item, "function", None), "hypothesis"))
