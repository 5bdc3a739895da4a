# SPDX-License-Identifier: Apache-2.0
"""LEEF 2.0 (IBM QRadar) as the text of syslog messages."""

from portineria.sinks.kind import SinkKind
from portineria.sinks.leef.message import message
from portineria.sinks.syslog.line import SETTINGS, opener

INFO = SinkKind("leef", "LEEF (QRadar)", SETTINGS, message, opener(message), acknowledged=False, most_events=1000)
