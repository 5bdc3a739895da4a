# SPDX-License-Identifier: Apache-2.0
"""Every kind of sink, one line each. Names, titles and settings are stored and shown: they stay as they are."""

from portineria.sinks import (
    cef,
    elastic,
    file,
    jira,
    kafka,
    leef,
    mail,
    ocsf,
    sentinel,
    servicenow,
    splunk,
    syslog,
    tickets,
    webhook,
)  # fmt: skip
from portineria.sinks.kind import SinkKind

ALL: tuple[SinkKind, ...] = (
    syslog.INFO,
    cef.INFO,
    leef.INFO,
    webhook.INFO,
    splunk.INFO,
    elastic.INFO,
    ocsf.INFO,
    sentinel.INFO,
    mail.INFO,
    servicenow.INFO,
    jira.INFO,
    tickets.INFO,
    file.INFO,
    kafka.INFO,
)  # fmt: skip


def kind_of(name: str) -> SinkKind | None:
    return next((kind for kind in ALL if kind.name == name), None)
