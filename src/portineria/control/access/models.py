# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what, who said yes, and until when."""

from datetime import datetime, timedelta
from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portineria.control.access.approver_hours import ApproverHours as ApproverHours
from portineria.control.access.company_device import CompanyDevice as CompanyDevice
from portineria.control.access.extension import Extension as Extension
from portineria.control.access.job import JobEntry as JobEntry
from portineria.control.access.level import APPROVALS, LEVELS_COUNTED, AsksLevels
from portineria.control.access.level import MOST_APPROVALS as MOST_APPROVALS
from portineria.control.access.lock import LOCKABLE as LOCKABLE
from portineria.control.access.lock import Lock as Lock
from portineria.control.access.lock import LockQuerySet as LockQuerySet
from portineria.control.access.maintenance import Maintenance as Maintenance
from portineria.control.access.maintenance import MaintenanceQuerySet as MaintenanceQuerySet
from portineria.control.access.place import RulePlace as RulePlace
from portineria.control.access.reason import REASON_TEXT
from portineria.control.access.reviews import EmergencyReview as EmergencyReview
from portineria.control.access.seer import Seer
from portineria.control.access.signal import Signal as Signal
from portineria.control.access.signal import SignalQuerySet as SignalQuerySet
from portineria.control.access.signal import SignalState as SignalState
from portineria.control.access.standing_asked import LEAST_STANDING, AsksStanding
from portineria.control.access.substitution import Substitution
from portineria.control.access.training import TRAININGS_TEXT
from portineria.control.access.watcher import RuleWatcher as RuleWatcher
from portineria.control.access.weekly import ASKS_WEEKLY, AsksWeekly
from portineria.control.access.work_time import ENDS_AFTER_START, MINUTES_COUNTED, NoLonger, WorkTime
from portineria.control.access.yes import IN_LEVEL, MarkedYes
from portineria.control.estate.models import Machine, Plant
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import ID, Group, GroupMember, Organisation, Person, Supplier
from portineria.core.errors import Conflict
from portineria.core.ids import Kind, new_id
from portineria.core.time_zones import zone_named
from portineria.policy.ending import Ending
from portineria.policy.function_profile import PROFILE_BYTES, Profile, decode_profile
from portineria.policy.windows import TEXT, Schedule, parse_windows
from portineria.sinks.ticket import Standing


def _id_field(kind: Kind) -> "models.CharField[str, str]":
    return models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, kind))


TICKET_UNASKED = "unasked"
TICKET_STATE = 200
SERVICES = 1219  # characters: 20 names of 60, and what stands between them
LEAST_FACTOR_MINUTES = 5  # enough to sign in and begin
MOST_FACTOR_MINUTES = 720  # as long as a connector stays signed in


class AlreadyDecided(Conflict):
    code = "access.request.already-decided"


class FunctionProfile(models.Model):
    """One version of a function profile, which never changes. Another one is another row, with the next number."""

    public_id = _id_field(Kind.PROFILE)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="profiles")
    name = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    content = models.BinaryField(max_length=PROFILE_BYTES)  # policy.function_profile, exactly as an order carries it
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="access_profile_version", fields=["organisation", "name", "version"]),
            models.CheckConstraint(name="access_profile_numbered", condition=Q(version__gte=1)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def profile(self) -> Profile:
        return decode_profile(bytes(self.content))


class RuleQuerySet(models.QuerySet["Rule"]):
    def visible_to(self, actor: Person) -> "RuleQuerySet":
        return self.ordinary().filter(organisation__in=actor.staff_of)

    def ordinary(self) -> "RuleQuerySet":
        """Those under which access is asked for; emergency roles are given and used otherwise (``emergency``)."""
        return self.filter(emergency_plant__isnull=True)

    def emergency(self) -> "RuleQuerySet":
        return self.filter(emergency_plant__isnull=False)

    def holding(self) -> "RuleQuerySet":
        return self.filter(ended_at__isnull=True)

    def admitting(self, person: Person | Seer) -> "RuleQuerySet":
        """Rules that name this person, the supplier they come from or a group that they are in, in an organisation they
        still belong to.
        """
        groups = GroupMember.objects.filter(membership__person=person.pk).values("group")
        named = Q(person=person.pk) | Q(supplier__in=person.supplier_ids) | Q(group__in=groups)
        return self.ordinary().holding().filter(named, organisation__in=person.member_of)


class Rule(AsksStanding, AsksLevels, models.Model):
    """Lets a supplier's people, a group's, or one person ask for some machines."""

    public_id = _id_field(Kind.RULE)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="rules")
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, null=True, blank=True, related_name="rules")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="rules")
    machines: "models.ManyToManyField[Machine, models.Model]" = models.ManyToManyField(Machine, related_name="rules")
    max_minutes = models.PositiveIntegerField(default=480)
    needs_approval = models.BooleanField(default=True)
    # Null: nothing is inspected, everything passes.
    profile = models.ForeignKey(FunctionProfile, on_delete=models.PROTECT, null=True, blank=True, related_name="rules")
    only_decoded = models.BooleanField(default=False)  # services of which we see metadata only are left out
    # When it is open, as policy.windows writes it; empty: always. At each machine by the clock of its plant.
    windows = models.CharField(max_length=TEXT, blank=True, default="")
    needs_reference = models.BooleanField(default=False)  # of a ticket or work permit
    needs_recording = models.BooleanField(default=False)
    watcher = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="watches")
    needs_maintenance = models.BooleanField(default=False)  # of the machine or of its line
    signals = models.CharField(max_length=60, blank=True, default="")  # kinds that have to be on, apart by blanks
    # An emergency role: it opens every machine of this plant, at once and to its person alone, and names none itself.
    emergency_plant = models.ForeignKey(
        Plant, on_delete=models.PROTECT, null=True, blank=True, related_name="emergency_roles"
    )
    emergency_guest = models.BooleanField(default=False)  # given although its person is of a supplier
    group = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, blank=True, related_name="rules")
    paused_until = models.DateTimeField(null=True, blank=True)  # nothing new begins: ``access.pausing``
    # Names of services or protocols, one on each line (only_services): what none names is left out. Empty: none is.
    only_services = models.CharField(max_length=SERVICES, blank=True, default="")
    # Ids of trainings that whoever works has to have confirmed, by words apart: read with the rule, by every decision.
    trainings = models.CharField(max_length=TRAININGS_TEXT, blank=True, default="")
    # How long ago whoever begins may have proved a second factor; null: since their sign-in is enough.
    factor_minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    needs_device = models.BooleanField(default=False)  # known to the owner by its key
    needs_listed_reason = models.BooleanField(default=False)  # one of the owner's list, besides words of one's own
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = RuleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="access_rule_names_one",
                condition=Q(supplier__isnull=True, person__isnull=False, group__isnull=True)
                | Q(supplier__isnull=False, person__isnull=True, group__isnull=True)
                | Q(supplier__isnull=True, person__isnull=True, group__isnull=False),
            ),
            # Seven days: longer work is asked for again, and looked at again.
            LEAST_STANDING,
            APPROVALS,
            LEVELS_COUNTED,
            models.CheckConstraint(name="access_rule_minutes", condition=Q(max_minutes__gte=1, max_minutes__lte=10080)),
            models.CheckConstraint(
                name="access_rule_factor",
                condition=Q(factor_minutes__isnull=True)
                | Q(factor_minutes__gte=LEAST_FACTOR_MINUTES, factor_minutes__lte=MOST_FACTOR_MINUTES),
            ),
            models.CheckConstraint(
                name="access_rule_emergency",
                condition=Q(emergency_plant__isnull=True, emergency_guest=False)
                | Q(
                    emergency_plant__isnull=False,
                    person__isnull=False,
                    profile__isnull=True,
                    needs_approval=False,
                    needs_recording=True,
                    windows="",
                ),
            ),
            models.UniqueConstraint(
                name="access_rule_emergency_once",
                fields=["person", "emergency_plant"],
                condition=Q(emergency_plant__isnull=False, ended_at__isnull=True),
            ),
        ]
        # Whom a rule names and where, together: an organisation has thousands of rules, a supplier a handful. Without
        # those that name nobody: they would make SQLite believe that a person has as many.
        indexes = [
            models.Index(
                name="access_rule_supplier", fields=["supplier", "organisation"], condition=Q(supplier__isnull=False)
            ),
            models.Index(
                name="access_rule_person", fields=["person", "organisation"], condition=Q(person__isnull=False)
            ),
            models.Index(name="access_rule_group", fields=["group", "organisation"], condition=Q(group__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def emergency(self) -> bool:
        """Whether it is an emergency role."""
        return self.emergency_plant_id is not None

    def schedule_at(self, time_zone: str) -> Schedule:
        """``time_zone``: of the plant where the machine stands."""
        return Schedule(parse_windows(self.windows), zone_named(time_zone))


class RuleVersion(models.Model):
    """What a rule said from a moment on, in the words of an event; of its machines only what came and went."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")  # null: operator
    terms = models.JSONField(default=dict)
    added = models.JSONField(default=list)  # public ids
    removed = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(name="access_rule_version", fields=["rule", "number"])]

    def __str__(self) -> str:
        return f"{self.rule_id}.{self.number}"


class RequestQuerySet(models.QuerySet["AccessRequest"]):
    def visible_to(self, actor: Person) -> "RequestQuerySet":
        """Staff see those of their plants, everybody else their own while they belong to the organisation."""
        return self.filter(actor.sees_where("organisation", "person", Power.WORK))


class RequestState(models.TextChoices):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # nobody decided in time
    LAPSED = "lapsed"  # a yes would not have opened anything any more


class AccessRequest(AsksWeekly, models.Model):
    """A person asks to reach one machine for a stated time and reason."""

    State = RequestState

    public_id = _id_field(Kind.REQUEST)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="requests")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="requests")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="requests")
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="requests")
    reason = models.CharField(max_length=500)
    starts_at = models.DateTimeField(null=True, blank=True)  # null: as soon as it is approved
    minutes = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=12, choices=RequestState.choices, default=RequestState.PENDING)
    reference = models.CharField(max_length=60, blank=True, default="")  # of a ticket or work permit
    # Who keeps that ticket, what was said of it last (sinks.ticket.Standing; TICKET_UNASKED before), and when.
    ticket_system = models.CharField(max_length=ID, blank=True, default="")
    ticket_standing = models.CharField(max_length=12, blank=True, default="")
    ticket_state = models.CharField(max_length=TICKET_STATE, blank=True, default="")  # in that system's words
    ticket_asked_at = models.DateTimeField(null=True, blank=True)
    listed_reason = models.CharField(max_length=REASON_TEXT, blank=True, default="")  # as the list had it then
    bundle = models.CharField(max_length=ID, blank=True, default="")  # asked together with others; empty: alone
    reminded_at = models.DateTimeField(null=True, blank=True)  # whoever may decide was told once more
    lapsed_why = models.CharField(max_length=120, blank=True, default="")  # policy's reasons, as words apart

    objects = RequestQuerySet.as_manager()

    class Meta:
        constraints = [
            ASKS_WEEKLY,
            models.CheckConstraint(name="access_request_minutes", condition=Q(minutes__gte=1, minutes__lte=10080)),
            models.CheckConstraint(
                name="access_request_state", condition=Q(state__in=[state.value for state in RequestState])
            ),
            models.CheckConstraint(
                name="access_request_lapsed_has_why",
                condition=Q(state="lapsed") & ~Q(lapsed_why="") | ~Q(state="lapsed") & Q(lapsed_why=""),
            ),
            models.CheckConstraint(
                name="access_request_ticket_stands",
                condition=Q(ticket_system="", ticket_standing="")
                | ~Q(ticket_system="")
                & Q(ticket_standing__in=[TICKET_UNASKED, *(standing.value for standing in Standing)]),
            ),
        ]
        indexes = [
            models.Index(name="access_request_pending", fields=["organisation", "state"]),
            models.Index(name="access_request_state", fields=["state"]),  # what the timer looks at each second
            models.Index(name="access_request_newest", fields=["organisation", "made_at"]),
            models.Index(name="access_request_person", fields=["person", "organisation", "made_at"]),
            models.Index(name="access_request_machine", fields=["machine", "organisation", "state"]),
            models.Index(name="access_request_ticket", fields=["ticket_system", "ticket_asked_at"]),
            models.Index(name="access_request_bundle", fields=["bundle"], condition=~Q(bundle="")),
        ]

    def __str__(self) -> str:
        return self.public_id

    def close(self, state: RequestState) -> None:
        """Change state in memory; the service saves it. A decision is final."""
        if self.state != RequestState.PENDING:
            raise AlreadyDecided(f"request {self.public_id} is {self.state}")
        self.state = state


class Approval(MarkedYes):
    """One decision. ``asked_by`` is copied from the request so that the database itself can hold the four eyes."""

    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="approvals")
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="approvals")
    # By which they stood in for somebody; null: by their own role.
    substitution = models.ForeignKey(
        Substitution, on_delete=models.PROTECT, null=True, blank=True, related_name="approvals"
    )
    approved = models.BooleanField()
    reason = models.CharField(max_length=500, blank=True)
    # A yes to less than the rule's profile: this one has to admit what is done as well.
    narrower = models.ForeignKey(FunctionProfile, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="access_approval_narrower", condition=Q(narrower__isnull=True) | Q(approved=True)
            ),
            models.CheckConstraint(name="access_approval_four_eyes", condition=~Q(decided_by=F("asked_by"))),
            models.UniqueConstraint(name="access_approval_once", fields=["request", "decided_by"]),
            IN_LEVEL,
            models.CheckConstraint(
                name="access_approval_minutes", condition=Q(minutes__isnull=True) | Q(minutes__gte=1, approved=True)
            ),
        ]


class GrantQuerySet(models.QuerySet["Grant"]):
    def visible_to(self, actor: Person) -> "GrantQuerySet":
        return self.filter(actor.sees_where("organisation", "person", Power.WORK))

    def live(self, at: datetime) -> "GrantQuerySet":
        return self.filter(revoked_at__isnull=True, starts_at__lte=at, ends_at__gt=at)


class Grant(WorkTime, models.Model):
    """Permission for one person and one machine, with a start and an end."""

    public_id = _id_field(Kind.GRANT)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="grants")
    request = models.OneToOneField(AccessRequest, on_delete=models.PROTECT, related_name="grant")
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="grants")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="grants")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="grants")
    # The rule's when it was given, which whoever approved saw: a wider one later gives nothing more.
    profile = models.ForeignKey(FunctionProfile, on_delete=models.PROTECT, null=True, blank=True, related_name="grants")
    # What its approval narrowed it to besides; null: to nothing.
    narrower = models.ForeignKey(FunctionProfile, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    only_services = models.CharField(max_length=SERVICES, blank=True, default="")  # of the rule when it was given
    revoked_at = models.DateTimeField(null=True, blank=True)
    ended_class = models.CharField(max_length=16, blank=True, choices=[(one.value, one.value) for one in Ending])

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints = [
            ENDS_AFTER_START,
            MINUTES_COUNTED,
            models.CheckConstraint(
                name="access_grant_revoked_has_class",
                condition=Q(revoked_at__isnull=True, ended_class="")
                | Q(revoked_at__isnull=False, ended_class__in=[ending.value for ending in Ending]),
            ),
        ]
        indexes = [
            models.Index(name="access_grant_person", fields=["person", "ends_at"]),
            models.Index(name="access_grant_machine", fields=["machine", "ends_at"]),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def revoked(self) -> Ending | None:
        return Ending(self.ended_class) if self.ended_class else None

    def minutes_left(self, at: datetime) -> int:
        return self.time_left(at, self.rule.max_minutes)

    def lengthen(self, minutes: int, at: datetime) -> None:
        """In memory; raise NoLonger beyond what the rule allows, NotBegun where nothing runs, ComesAgain."""
        self.require_lasting()
        if minutes > (left := self.minutes_left(at)):
            raise NoLonger(f"grant {self.public_id} may be {left} minutes longer")
        self.ends_at = max(self.ends_at, at) + timedelta(minutes=minutes)
