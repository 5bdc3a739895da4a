# SPDX-License-Identifier: Apache-2.0
"""The template by which an organisation was set up, kept to be compared with."""

from django.db import models
from django.utils import timezone

TEMPLATE_BYTES = 256 << 10


class Template(models.Model):
    """``content``: as ``portineria apply`` reads it, TOML or YAML."""

    organisation = models.OneToOneField("identity.Organisation", on_delete=models.PROTECT, related_name="template")
    content = models.BinaryField(max_length=TEMPLATE_BYTES)
    kept_at = models.DateTimeField(default=timezone.now)
    kept_by = models.ForeignKey("identity.Person", on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"template of {self.organisation_id}"
