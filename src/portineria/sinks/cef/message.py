# SPDX-License-Identifier: Apache-2.0
"""One event in the Common Event Format, version 0 (ArcSight CEF implementation standard, rev. 26). Pure."""

from collections.abc import Mapping

from portineria.core.event_meaning import Severity
from portineria.sinks.outgoing import PRODUCT, Outgoing, milliseconds, printable, written
from portineria.sinks.syslog.message import enclosed

SEVERITIES: Mapping[Severity, int] = {
    Severity.INFORMATIONAL: 1,
    Severity.NOTICE: 3,
    Severity.WARNING: 6,
    Severity.ERROR: 8,
    Severity.CRITICAL: 10,
}


def message(event: Outgoing) -> bytes:
    extension = {
        "rt": str(milliseconds(event.at)), "dvchost": event.source, "externalId": event.key, "cat": event.code,
        "suid": event.actor, "outcome": event.outcome.value, "portineriaLeaf": event.leaf_sha256,
    }  # fmt: skip
    if event.techniques:
        extension["portineriaTechniques"] = " ".join(event.techniques)
    extension |= {own_key(name): written(value) for name, value in event.fields.items()}
    head = (PRODUCT, PRODUCT, event.version, event.code, event.name, str(SEVERITIES[event.severity]))
    return enclosed(event, line(head, extension))


def line(head: tuple[str, ...], extension: Mapping[str, str]) -> str:
    """``head``: vendor, product, version, signature, name, severity."""
    written_head = "|".join(_in_head(text) for text in head)
    return f"CEF:0|{written_head}|" + " ".join(f"{key}={_in_extension(value)}" for key, value in extension.items())


def own_key(name: str) -> str:
    """Letters only, apart from the keys of the standard: a field ``act`` must not become the action."""
    return "portineriaField" + "".join(part.capitalize() for part in name.split("_"))


def _in_head(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|")


def _in_extension(text: str) -> str:
    """The backslash first, or it would escape our escapes. Line ends are written as the standard wants them."""
    text = text.replace("\\", "\\\\").replace("=", "\\=")
    return printable(text.replace("\r\n", "\\n").replace("\r", "\\r").replace("\n", "\\n"))
