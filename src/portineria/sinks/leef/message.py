# SPDX-License-Identifier: Apache-2.0
"""One event in the Log Event Extended Format 2.0 (IBM QRadar). Pure.

The format has no escapes: values hold neither the tab between them nor a line end, the head no bar.
"""

from portineria.sinks.cef.message import SEVERITIES, own_key
from portineria.sinks.outgoing import PRODUCT, Outgoing, timestamp, written
from portineria.sinks.syslog.message import enclosed

_TIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSX"


def message(event: Outgoing) -> bytes:
    attributes = {
        "devTime": timestamp(event.at), "devTimeFormat": _TIME_FORMAT, "sev": str(SEVERITIES[event.severity]),
        "cat": event.code, "usrName": event.actor, "externalId": event.key, "outcome": event.outcome.value,
        "portineriaLeaf": event.leaf_sha256,
    }  # fmt: skip
    if event.techniques:
        attributes["portineriaTechniques"] = " ".join(event.techniques)
    attributes |= {own_key(name): written(value) for name, value in event.fields.items()}
    head = "|".join(written(text).replace("|", "/") for text in (PRODUCT, PRODUCT, event.version, event.code))
    body = "\t".join(f"{key}={written(value)}" for key, value in attributes.items())
    return enclosed(event, f"LEEF:2.0|{head}|x09|{body}")
