# SPDX-License-Identifier: Apache-2.0
"""What receivers make of our bytes: parsers written from the formats' own documents, not from our writers.

Each returns the fields of the event itself, by the name that the format has for them, and raises ValueError for bytes
that are more or less than one event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_SYSLOG = re.compile(
    # RFC 5424, 6: HEADER SP STRUCTURED-DATA [SP MSG]
    r"<(?P<pri>[0-9]{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128})"
    r" (?P<msgid>[!-~]{1,32}) (?P<rest>.*)",
    re.DOTALL,
)
_NAME = re.compile(r"[!#-<>-\\^-~]{1,32}")  # SD-NAME: printable ASCII but = ] " and the space
_CEF_HEAD = 7  # fields that end with a bar
_CEF_KEY = re.compile(r"(?:^| )([A-Za-z0-9_.]+)=")


def syslog(data: bytes) -> dict[str, str]:
    return {name: value for element, name, value in syslog_elements(data)[0] if element.startswith("event@")}


def syslog_elements(data: bytes) -> tuple[list[tuple[str, str, str]], str]:
    """Element, name and value of every parameter; then the text."""
    found = _SYSLOG.fullmatch(data.decode())
    if found is None:
        raise ValueError("no header")
    rest = found["rest"]
    if rest.startswith("- "):
        return [], rest[2:]
    values: list[tuple[str, str, str]] = []
    while rest.startswith("["):
        rest = _element(rest[1:], values)
    if not rest.startswith(" "):
        raise ValueError("no text")
    return values, rest[1:]


def _element(rest: str, values: list[tuple[str, str, str]]) -> str:
    element, rest = _name(rest)
    while rest.startswith(" "):
        name, rest = _name(rest[1:])
        if not rest.startswith('="'):
            raise ValueError("no value")
        value, rest = _quoted(rest[2:])
        values.append((element, name, value))
    if not rest.startswith("]"):
        raise ValueError("no end of an element")
    return rest[1:]


def _name(rest: str) -> tuple[str, str]:
    found = _NAME.match(rest)
    if found is None:
        raise ValueError("no name")
    return found[0], rest[found.end() :]


def _quoted(rest: str) -> tuple[str, str]:
    """6.3.3: a backslash before anything else than the three is itself."""
    text, place = "", 0
    while rest[place] != '"':
        if rest[place] == "]":
            raise ValueError("a bracket that is not escaped")
        if rest[place] == "\\" and rest[place + 1] in '"\\]':
            place += 1
        text += rest[place]
        place += 1
    return text, rest[place + 1 :]


def cef_parts(line: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Vendor, product, version, signature, name, severity; then the extension."""
    if not line.startswith("CEF:0|") or "\n" in line or "\r" in line:
        raise ValueError("not one line of CEF")
    head, place = [""], len("CEF:0|")
    while len(head) < _CEF_HEAD:
        if line[place] == "\\":
            place += 1
            head[-1] += line[place]
        elif line[place] == "|":
            head.append("")
        else:
            head[-1] += line[place]
        place += 1
    return tuple(head[:-1]), _extension(line[place:])


def _extension(text: str) -> dict[str, str]:
    """A key is a word behind a blank and before an equals sign that no backslash precedes."""
    keys = list(_CEF_KEY.finditer(text))
    found: dict[str, str] = {}
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        if key[1] in found:
            raise ValueError(f"{key[1]} twice")
        found[key[1]] = re.sub(r"\\(.)", lambda one: {"n": "\n", "r": "\r"}.get(one[1], one[1]), text[key.end() : end])
    return found


def cef(data: bytes) -> dict[str, str]:
    _elements, text = syslog_elements(data)
    return own(cef_parts(text)[1])


def leef(data: bytes) -> dict[str, str]:
    """IBM: LEEF:2.0|vendor|product|version|event id|delimiter|attributes, here with the tab (x09) between them."""
    _elements, text = syslog_elements(data)
    head, attributes = text.split("|", 6)[:6], text.split("|", 6)[6]
    if head[0] != "LEEF:2.0" or head[5] != "x09" or "\n" in text:
        raise ValueError("not one line of LEEF")
    pairs = [part.partition("=")[::2] for part in attributes.split("\t")]
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an attribute twice")
    return own(dict(pairs))


def own(values: dict[str, str]) -> dict[str, str]:
    """Fields by their name in the catalogue: ``portineriaFieldStartsAt`` is ``starts_at``."""
    mine = {name.removeprefix("portineriaField"): value for name, value in values.items() if "portineriaField" in name}
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value for name, value in mine.items()}


def webhook(data: bytes) -> dict[str, str]:
    return strings(json.loads(data)["data"]["fields"])


def splunk(data: bytes) -> dict[str, str]:
    return strings(json.loads(data)["event"]["fields"])


def elastic(data: bytes) -> dict[str, str]:
    return strings(json.loads(data)["portineria"]["fields"])


def ocsf(data: bytes) -> dict[str, str]:
    found = json.loads(data)
    return strings({**found["unmapped"].get("fields", {}), **own_operation(found)})


def own_operation(found: dict[str, dict[str, str]]) -> dict[str, str]:
    operation = found.get("ot_operation", {})
    return {name.removeprefix("ot_").replace("kind", "operation"): value for name, value in operation.items()}


def sentinel(data: bytes) -> dict[str, str]:
    return strings(json.loads(data)["Fields"])


def mail(data: bytes) -> dict[str, str]:
    """Behind the actor: names, and values as JSON writes them."""
    rest, found = data.decode().split(" by ", 1)[1].partition(" ")[2], {}
    while rest:
        name, _, rest = rest.partition("=")
        found[name], end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].removeprefix(" ")
    return found


def servicenow(data: bytes) -> dict[str, str]:
    return lines(json.loads(data)["description"])


def jira(data: bytes) -> dict[str, str]:
    """Atlassian Document Format: one block of text and nothing around it."""
    (block,) = json.loads(data)["content"]
    (text,) = block["content"]
    if (block["type"], text["type"], text.keys()) != ("codeBlock", "text", {"type", "text"}):
        raise ValueError("not one text")
    return lines(text["text"])


def tickets(data: bytes) -> dict[str, str]:
    return lines(json.loads(data)["text"])


def lines(text: str) -> dict[str, str]:
    """Behind the empty line: "name: value"."""
    _head, own_part = text.split("\n\n", 1)
    pairs = [line.partition(": ")[::2] for line in own_part.split("\n") if line]
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def strings(fields: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}


READERS: dict[str, Callable[[bytes], dict[str, str]]] = {
    "syslog": syslog, "cef": cef, "leef": leef, "webhook": webhook, "splunk": splunk,
    "elastic": elastic, "ocsf": ocsf, "sentinel": sentinel,
    "mail": mail, "servicenow": servicenow, "jira": jira, "tickets": tickets,
    "file": ocsf, "kafka": ocsf,
}  # fmt: skip
