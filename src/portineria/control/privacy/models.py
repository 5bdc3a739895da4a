# SPDX-License-Identifier: Apache-2.0
"""What an organisation tells people before they work in its machines, that they were told, and what it keeps."""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from portineria.control.identity.models import Language, Organisation, Person, Supplier

ANSWER = 1200  # characters


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, actor: Person) -> "NoticeQuerySet":
        """Of organisations to which the actor belongs, in whatever role: it is written for them."""
        return self.filter(organisation__in=actor.member_of)

    def current(self) -> "NoticeQuerySet":
        """The newest of each organisation: the one that counts."""
        later = Notice.objects.filter(organisation=OuterRef("organisation"), number__gt=OuterRef("number"))
        return self.filter(~Exists(later))


class Notice(models.Model):
    """One version of an organisation's notice, as it was published: it never changes, another one follows it."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="notices")
    number = models.PositiveIntegerField()
    published_at = models.DateTimeField(default=timezone.now)
    # Null: the operator of the server.
    published_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = NoticeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="privacy_notice_version", fields=["organisation", "number"]),
            models.CheckConstraint(name="privacy_notice_numbered", condition=Q(number__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id}.{self.number}"


class NoticeText(models.Model):
    """The four answers that a notice owes, in one language (Regulation (EU) 2016/679, art. 13)."""

    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="texts")
    language = models.CharField(max_length=5, choices=Language.choices)
    what = models.CharField(max_length=ANSWER)  # is recorded
    why = models.CharField(max_length=ANSWER)
    who = models.CharField(max_length=ANSWER)  # may see it
    how_long = models.CharField(max_length=ANSWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="privacy_text_language", fields=["notice", "language"]),
            models.CheckConstraint(name="privacy_text_known", condition=Q(language__in=Language.values)),
            models.CheckConstraint(
                name="privacy_text_answers", condition=~(Q(what="") | Q(why="") | Q(who="") | Q(how_long=""))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} {self.language}"


class Acknowledgement(models.Model):
    """A person said that they read one version, in the language in which it was shown to them."""

    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="acknowledgements")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="acknowledgements")
    language = models.CharField(max_length=5, choices=Language.choices)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="privacy_acknowledged_once", fields=["notice", "person"]),
            models.CheckConstraint(name="privacy_acknowledged_in", condition=Q(language__in=Language.values)),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} {self.person_id}"


MOST_DAYS = 3650


class Terms(models.Model):
    """What an organisation records of whom, and for how long. Without a row what this class says holds.

    Whoever belongs to no supplier is its own staff; everybody and everything else that works there is another's.
    """

    organisation = models.OneToOneField(Organisation, on_delete=models.PROTECT, related_name="terms")
    records_staff = models.BooleanField(default=False)  # of them the register of accesses only
    records_suppliers = models.BooleanField(default=True)
    records_agents = models.BooleanField(default=True)  # no person, and seldom in anybody's sight
    recordings_days = models.PositiveSmallIntegerField(null=True, blank=True, default=90)  # null: until somebody acts

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="privacy_terms_days",
                condition=Q(recordings_days__isnull=True) | Q(recordings_days__gte=1, recordings_days__lte=MOST_DAYS),
            )
        ]

    def __str__(self) -> str:
        return f"terms of {self.organisation_id}"

    def records(self, *, supplier: bool, agent: bool = False) -> bool:
        if agent:
            return self.records_agents
        return self.records_suppliers if supplier else self.records_staff


class Duty(models.TextChoices):
    """Two named roles, which nobody has both of: one asks to look through recordings of people, the other decides."""

    READER = "reader"
    GUARDIAN = "guardian"  # of those who were recorded: data protection, a works council


class Appointment(models.Model):
    """Somebody of the organisation's staff, named for one of the two."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="appointments")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="appointments")
    duty = models.CharField(max_length=16, choices=Duty.choices)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="privacy_one_duty", fields=["organisation", "person"]),
            models.CheckConstraint(name="privacy_duty_known", condition=Q(duty__in=Duty.values)),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.duty} of {self.organisation_id}"


class Side(models.TextChoices):
    """Of a machine's program: whose it is depends, so both have to agree."""

    OWNER = "owner"
    SUPPLIER = "supplier"


class ContentsAgreement(models.Model):
    """One side says that recordings of a supplier's sessions keep what programs contain. Withdrawn, it stays a row."""

    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="contents_agreements")
    side = models.CharField(max_length=16, choices=Side.choices)
    agreed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    agreed_at = models.DateTimeField(default=timezone.now)
    withdrawn_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="privacy_contents_once", fields=["supplier", "side"], condition=Q(withdrawn_at__isnull=True)
            ),
            models.CheckConstraint(name="privacy_contents_side", condition=Q(side__in=Side.values)),
            models.CheckConstraint(
                name="privacy_contents_withdrawn",
                condition=Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True)
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} of {self.supplier_id}"
