# SPDX-License-Identifier: Apache-2.0
"""What sessions did, in words that people sign."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.estate.models import Machine
from portineria.control.identity.models import ID, Person
from portineria.control.remote_sessions.models.session import Session, of_sessions_seen


class ServiceReportQuerySet(models.QuerySet["ServiceReport"]):
    def visible_to(self, actor: Person) -> "ServiceReportQuerySet":
        return self.filter(of_sessions_seen(actor))


class ServiceReport(models.Model):
    """What people add to what a session wrote of itself; a row comes with the first remark or signature."""

    session = models.OneToOneField(Session, on_delete=models.PROTECT, related_name="service_report")
    technician_remarks = models.CharField(max_length=4000, blank=True)
    owner_remarks = models.CharField(max_length=4000, blank=True)

    objects = ServiceReportQuerySet.as_manager()

    def __str__(self) -> str:
        return f"report of {self.session_id}"


class ReportSide(models.TextChoices):
    TECHNICIAN = "technician"  # who worked
    OWNER = "owner"  # somebody of the owner's who approves


class ReportSignature(models.Model):
    """One side stands by a text. ``worked_by`` is copied so that the database itself can hold the four eyes."""

    report = models.ForeignKey(ServiceReport, on_delete=models.PROTECT, related_name="signatures")
    side = models.CharField(max_length=12, choices=ReportSide.choices)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    worked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    text_sha256 = models.BinaryField(max_length=32)
    signed_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)  # somebody changed the text

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="sessions_signature_side",
                condition=Q(side="technician", person=F("worked_by")) | Q(side="owner") & ~Q(person=F("worked_by")),
            ),
            models.UniqueConstraint(
                name="sessions_signature_once", fields=["report", "side"], condition=Q(withdrawn_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} of {self.report_id}"


class WorkKind(models.TextChoices):
    FUNCTION = "function"
    TARGET = "target"  # that was changed


class KnownWork(models.Model):
    """What a supplier, or a person that no supplier sent, has done on a machine before, and in which session first."""

    Kind = WorkKind

    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="+")
    whose = models.CharField(max_length=ID)
    kind = models.CharField(max_length=12, choices=WorkKind.choices)
    name = models.CharField(max_length=300)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="first_work")

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_known_work", fields=["machine", "whose", "kind", "name"])]

    def __str__(self) -> str:
        return f"{self.whose} {self.kind} {self.name}"
