# SPDX-License-Identifier: Apache-2.0
"""Reads a process' figures as Prometheus would, with its own parser, and holds every label against what may be one."""

import http.client
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

REFERENCE = Path(__file__).resolve().parents[2] / "docs/reference/metrics.md"
_ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge) \| ([`\w ]*) \|", re.MULTILINE)
# Words of our source: codes, states, methods, numbers of a status or release.
_WORD = re.compile(r"[A-Za-z][a-z_-]*(\.[a-z_-]+)*|[1-5]\d\d|\d+\.\d+\.\d+\S*|[A-Z]+|[a-z0-9]+")
_ID = re.compile(r"[a-z]{2,4}_[a-z2-7]{16}|\d+\.\d+\.\d+\.\d+")
Figures = dict[tuple[str, tuple[str, ...]], float]


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name -> kind and labels."""
    return {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in _ROW.findall(REFERENCE.read_text())
    }


def ask(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def scrape(port: int) -> Figures:
    """Of the process that tells them there. Fails as ``read`` does."""
    status, text = ask(port, "/metrics")
    assert status == 200, text
    return read(text)


def read(text: str) -> Figures:
    known, found = documented(), Figures()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("portineria_"):
                assert known[sample.name] == (family.type, tuple(sample.labels)), sample.name
                assert [
                    value for value in sample.labels.values() if not _WORD.fullmatch(value) or _ID.search(value)
                ] == []
                found[sample.name, tuple(sample.labels.values())] = sample.value
    return found
