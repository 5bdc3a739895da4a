# SPDX-License-Identifier: Apache-2.0
"""RFC 3161 time stamps of checkpoints: somebody with a clock of their own says that a register was so at that time.

An option with a library of its own (`portineria[timestamp]`); a stamp covers the SHA-256 of the checkpoint's text.
"""

import importlib.util
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from portineria.core.errors import ProtocolError, Unavailable

STAMP_BYTES = 32_768  # a response with the certificates of its authority is 3 to 8 KB


class BadStamp(ProtocolError):
    code = "ledger.stamp"


class NoLibrary(Unavailable):
    code = "ledger.stamp.extra"


def check_library() -> None:
    """Raise NoLibrary."""
    if importlib.util.find_spec("rfc3161_client") is None:
        raise NoLibrary("time stamps need more of Portineria: pip install 'portineria[timestamp]'")


def write_request(text: str) -> bytes:
    """A TimeStampReq (DER, RFC 3161, 2.4.1) that asks for the authority's certificate too."""
    from rfc3161_client import TimestampRequestBuilder

    return TimestampRequestBuilder().data(text.encode()).build().as_bytes()


def stamped_at(text: str, stamp: bytes, authorities: Sequence[x509.Certificate]) -> datetime:
    """When this text was stamped (TimeStampResp, DER), by an authority under one of these roots; raise BadStamp."""
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    if len(stamp) > STAMP_BYTES:
        raise BadStamp(f"a time stamp has at most {STAMP_BYTES} bytes")
    builder = VerifierBuilder()
    for certificate in authorities:
        builder = builder.add_root_certificate(certificate)
    try:
        response = decode_timestamp_response(stamp)
        builder.build().verify_message(response, text.encode())
    except (ValueError, VerificationError) as error:
        raise BadStamp(f"the time stamp does not fit: {error}") from error
    return response.tst_info.gen_time


def read_authorities(pem: bytes) -> list[x509.Certificate]:
    """Raise BadStamp for what holds no certificate."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadStamp("no certificates (PEM)") from error
