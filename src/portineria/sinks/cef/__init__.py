# SPDX-License-Identifier: Apache-2.0
"""CEF (ArcSight, and many that read it) as the text of syslog messages."""

from portineria.sinks.cef.message import message
from portineria.sinks.kind import SinkKind
from portineria.sinks.syslog.line import SETTINGS, opener

INFO = SinkKind("cef", "CEF", SETTINGS, message, opener(message), acknowledged=False, most_events=1000)
