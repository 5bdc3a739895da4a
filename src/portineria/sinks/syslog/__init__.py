# SPDX-License-Identifier: Apache-2.0
"""Syslog: RFC 5424 messages with structured data, over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425)."""

from portineria.sinks.kind import SinkKind
from portineria.sinks.syslog.line import SETTINGS, opener
from portineria.sinks.syslog.message import message

INFO = SinkKind("syslog", "Syslog (RFC 5424)", SETTINGS, message, opener(message), acknowledged=False, most_events=1000)
