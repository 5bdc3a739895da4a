# SPDX-License-Identifier: Apache-2.0
"""For gateways, which are not signed in: each request proves itself."""

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.estate import enrolment, introduction
from portineria.control.identity.api import ERRORS, Asked
from portineria.control.identity.connector import base64url, unbase64

router = Router(tags=["gateway"])
_REQUEST_CHARACTERS = 2048  # three public keys and two short texts are under 400 bytes


class EnrolRequest(Asked):
    lookup: str = Field(max_length=8)
    request: str = Field(max_length=_REQUEST_CHARACTERS)
    proof: str = Field(max_length=64)


class Enrolled(Schema):
    gateway: str
    trust: str
    proof: str


@router.post("/gateways/enrol", auth=None, response={200: Enrolled, **ERRORS})
def enrol(request: HttpRequest, asked: EnrolRequest) -> Enrolled:
    done = enrolment.enrol(
        lookup=asked.lookup,
        request=unbase64(asked.request, "request"),
        proof=unbase64(asked.proof, "proof"),
        address=str(request.META.get("REMOTE_ADDR") or ""),
    )
    return Enrolled(gateway=done.gateway, trust=base64url(done.trust), proof=base64url(done.proof))


class IntroductionRequest(Asked):
    plant: str = Field(max_length=24)
    request: str = Field(max_length=_REQUEST_CHARACTERS)
    root: str = Field(max_length=64)
    signature: str = Field(max_length=128)


class Introduced(Schema):
    gateway: str
    trust: str
    introduction: str


@router.post("/gateways/introduce", auth=None, response={200: Introduced, **ERRORS})
def introduce(request: HttpRequest, asked: IntroductionRequest) -> Introduced:
    """Enrolment without a code, where the server's settings allow it."""
    done = introduction.introduce(
        plant=asked.plant,
        request=unbase64(asked.request, "request"),
        root=unbase64(asked.root, "root"),
        signature=unbase64(asked.signature, "signature"),
        address=str(request.META.get("REMOTE_ADDR") or ""),
    )
    return Introduced(gateway=done.gateway, trust=base64url(done.trust), introduction=base64url(done.introduction))


class CertificateRequest(Asked):
    gateway: str = Field(max_length=24)
    request: str = Field(max_length=_REQUEST_CHARACTERS)
    at_ms: int = Field(ge=0, lt=1 << 63)
    signature: str = Field(max_length=128)


class CertificateAnswer(Schema):
    state: str
    certificate: str | None


@router.post("/gateways/certificate", auth=None, response={200: CertificateAnswer, **ERRORS})
def certificate(request: HttpRequest, asked: CertificateRequest) -> CertificateAnswer:
    answer = enrolment.certificate(
        gateway=asked.gateway,
        request=unbase64(asked.request, "request"),
        at_ms=asked.at_ms,
        signature=unbase64(asked.signature, "signature"),
    )
    return CertificateAnswer(
        state=answer.state, certificate=base64url(answer.certificate) if answer.certificate else None
    )
