# SPDX-License-Identifier: Apache-2.0
from django.db import models
from django.utils import timezone

from portineria.control.identity.models import Person

ANSWER_BYTES = 32 * 1024


class KeptAnswer(models.Model):
    """What was answered to a request with an idempotency key: asked again, it is answered again and not done again."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    request_sha256 = models.BinaryField(max_length=32)  # method, address and body
    answer = models.BinaryField(
        max_length=ANSWER_BYTES, default=b""
    )  # JSON; written in the transaction of what was done
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="rest_answer_once", fields=["person", "key"])]
        indexes = [models.Index(name="rest_answer_age", fields=["person", "made_at"])]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.key}"
