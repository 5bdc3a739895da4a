# SPDX-License-Identifier: Apache-2.0
"""What a register was at one moment: its size and its root, as the text of a note (https://c2sp.org/tlog-checkpoint)."""

import base64
import binascii
import re
from dataclasses import dataclass

from portineria.ledger.note import BadNote, Note, parse_note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
ORIGIN_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(installation: str, organisation: str) -> str:
    """The register's own name, for good: it does not follow addresses, which change."""
    return f"portineria/{installation}/{organisation}"


def parse_checkpoint(text: str) -> Checkpoint:
    """The text of a note; lines after the third are others' extensions and ours to ignore. Raise BadNote."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise BadNote("a checkpoint has three lines or more, none of them empty")
    origin, size, root = lines[:3]
    if len(origin) > ORIGIN_CHARACTERS or not _SIZE.fullmatch(size):
        raise BadNote("a checkpoint names its origin and a size")
    try:
        digest = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote("the root is not base64") from error
    if len(digest) != 32:
        raise BadNote("the root is a SHA-256")
    return Checkpoint(origin, int(size), digest)


def read_checkpoint(note: str) -> tuple[Note, Checkpoint]:
    """Nothing in it is believed before a known key has verified the note."""
    parsed = parse_note(note)
    return parsed, parse_checkpoint(parsed.text)
