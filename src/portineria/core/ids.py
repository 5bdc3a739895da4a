# SPDX-License-Identifier: Apache-2.0
"""Public identifiers: a prefix that explains itself and 80 random bits in lower-case base32."""

import base64
import re
import secrets
from enum import StrEnum

from portineria.core.errors import Invalid

_RANDOM_BYTES = 10  # 80 bits: 2**40 ids before a collision is likely (birthday bound)
_FORM = re.compile(r"[a-z]{2,4}_[a-z2-7]{16}")


class Kind(StrEnum):
    ORGANISATION = "org"
    PERSON = "per"
    SUPPLIER = "sup"
    PLANT = "pla"
    GATEWAY = "gw"
    MACHINE = "mac"
    DEVICE = "dev"
    SERVICE = "srv"
    RULE = "rul"
    PROFILE = "prf"
    REQUEST = "req"
    GRANT = "grt"
    SESSION = "ses"
    HELD = "hld"
    STREAM = "str"
    RECORDING = "rec"
    RELAY = "rel"
    SIGNER = "sig"
    CONNECTOR = "con"
    API_TOKEN = "tok"  # noqa: S105  # a prefix
    INSTALLATION = "ins"
    SINK = "snk"
    LOCK = "lck"
    PROVIDER = "idp"
    REVIEW = "rvw"
    NOTIFICATION = "ntf"
    SUBSTITUTION = "sbs"
    BUNDLE = "bnd"
    JOB_ENTRY = "job"
    PLAYBACK = "plb"
    DELEGATION = "dlg"
    NAME_QUESTION = "nmq"
    SEARCH = "srh"
    MAINTENANCE = "mtn"
    SIGNAL = "sgl"
    GROUP = "grp"
    TRAINING = "trn"
    COMPANY_DEVICE = "cdv"
    DIRECTORY_END = "den"
    EXTENSION = "ext"


def new_id(kind: Kind) -> str:
    return f"{kind}_{base64.b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode().lower()}"


def is_id(text: str, kind: Kind) -> bool:
    return bool(_FORM.fullmatch(text)) and text.startswith(f"{kind}_")


def parse_id(text: str, kind: Kind) -> str:
    """Return ``text`` when it has the form of an id of ``kind``; ids come from outside and reach logs and URNs."""
    if not is_id(text, kind):
        raise Invalid(f"not an id of kind {kind}")
    return text
