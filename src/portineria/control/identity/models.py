# SPDX-License-Identifier: Apache-2.0
"""Who acts, and for whom. Secrets of the installation lie here too, wrapped by the master key."""

from datetime import datetime
from functools import cached_property, partial
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower
from django.utils import timezone

from portineria.control.identity.closing_models import UNUSED_DAYS, ClosesUnused, Idle, Used
from portineria.control.identity.closing_models import ClosedMembership as ClosedMembership  # one of the app's tables
from portineria.control.identity.delegation_models import ActsThere, ByDelegation, Power, provides
from portineria.control.identity.directory_models import DirectoryEntry as DirectoryEntry
from portineria.control.identity.factor_models import ProvidedFactor as ProvidedFactor  # one of the app's tables
from portineria.control.identity.factor_models import provided
from portineria.control.identity.group_models import Group as Group
from portineria.control.identity.group_models import GroupMember as GroupMember
from portineria.control.identity.provider_models import GroupRole
from portineria.control.identity.saved_models import SavedSearch as SavedSearch
from portineria.control.identity.sponsor_models import OF_SUPPLIERS, STAY_DAYS, BoundsStays, Sponsored
from portineria.control.identity.standing_models import ASSESSED, Assessed
from portineria.control.identity.standing_models import SupplierStanding as SupplierStanding
from portineria.control.identity.template_models import Template as Template  # one of the app's tables
from portineria.control.identity.token_models import ApiToken as ApiToken
from portineria.control.identity.token_models import AuthorisationCode as AuthorisationCode
from portineria.control.identity.token_models import ConnectorToken as ConnectorToken
from portineria.control.identity.token_models import UsedApiProof as UsedApiProof
from portineria.control.identity.token_models import UsedProof as UsedProof
from portineria.control.kept_query import KeptRows
from portineria.core.ids import Kind, new_id
from portineria.policy.supplier_standing import Firm

ID = 24


def _id_field(kind: Kind) -> "models.CharField[str, str]":
    return models.CharField(max_length=ID, unique=True, editable=False, default=partial(new_id, kind))


class Organisation(ClosesUnused, BoundsStays, models.Model):
    public_id = _id_field(Kind.ORGANISATION)
    name = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    emergency_minutes = models.PositiveSmallIntegerField(default=60)  # the longest that an emergency role opens

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="identity_emergency_minutes", condition=Q(emergency_minutes__gte=5, emergency_minutes__lte=240)
            ),
            UNUSED_DAYS,
            STAY_DAYS,
        ]

    def __str__(self) -> str:
        return self.name


class SupplierQuerySet(models.QuerySet["Supplier"]):
    def visible_to(self, actor: "Person") -> "SupplierQuerySet":
        return self.filter(Q(organisation__in=actor.staff_of) | Q(pk__in=actor.supplier_ids))


class Supplier(Assessed, models.Model):
    """A firm whose technicians are let in, as one organisation knows it."""

    public_id = _id_field(Kind.SUPPLIER)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="suppliers")
    name = models.CharField(max_length=120)
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = SupplierQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_supplier_name", fields=["organisation", "name"]),
            ASSESSED,
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def enabled(self) -> bool:
        return self.disabled_at is None


SECOND_FACTORS = ("totp", "webauthn")  # allauth's names; its recovery codes are none


class PersonQuerySet(models.QuerySet["Person"]):
    def visible_to(self, actor: "Person") -> "PersonQuerySet":
        """Staff see the people of their organisations; everybody sees themselves."""
        members = Membership.objects.filter(organisation__in=actor.staff_of)
        return self.filter(Q(pk__in=members.values("person")) | Q(pk=actor.pk))  # joined, 50,000 would be sorted


class PersonManager(BaseUserManager["Person"]):
    def get_queryset(self) -> PersonQuerySet:
        return PersonQuerySet(self.model, using=self._db)

    def visible_to(self, actor: "Person") -> PersonQuerySet:
        return self.get_queryset().visible_to(actor)

    def get_by_natural_key(self, username: str | None) -> "Person":
        return self.get(email=(username or "").lower())


class Language(models.TextChoices):
    ENGLISH = "en", "English"
    ITALIAN = "it", "Italiano"
    JAPANESE = "ja", "日本語"


class Person(ActsThere, Used, AbstractBaseUser):
    """Signs in with an e-mail address, a password and a second factor; or with a passkey."""

    public_id = _id_field(Kind.PERSON)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120)
    language = models.CharField(max_length=5, choices=Language.choices, blank=True)  # empty: as the browser asks
    time_zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(default=timezone.now)
    disabled_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)
    is_service = models.BooleanField(default=False)  # a program of one organisation, or an analyst; never signs in
    # Of an AI agent: whoever answers for all that it does. Null: a person, or another program.
    answered_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="agents")

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        constraints = [
            models.CheckConstraint(name="identity_person_email_lower", condition=Q(email=Lower("email"))),
            models.CheckConstraint(
                name="identity_erased_is_disabled", condition=Q(erased_at__isnull=True) | Q(disabled_at__isnull=False)
            ),
            # "!" begins what no password fits: Django's UNUSABLE_PASSWORD_PREFIX.
            models.CheckConstraint(
                name="identity_service_has_no_password",
                condition=Q(is_service=False) | Q(password__startswith="!"),  # noqa: S106  # that is its point
            ),
            models.CheckConstraint(
                name="identity_agent_is_program", condition=Q(answered_by__isnull=True) | Q(is_service=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        return self.name

    @property
    def enabled(self) -> bool:
        return self.disabled_at is None

    @property
    def is_agent(self) -> bool:
        return self.answered_by_id is not None

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """What sign-in asks."""
        return self.enabled and not self.is_service

    @cached_property
    def _entered(self) -> list["Membership"]:
        """All of them, with ``factor`` and ``provided``: one query per object; services that change memberships work on
        fresh ones.
        """
        return _ENTERED.all(self.pk, timezone.now())

    @cached_property
    def _memberships(self) -> list["Membership"]:
        return [membership for membership in self._entered if membership.holds] if self.enabled else []

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__.pop("_memberships", None)
        self.__dict__.pop("_entered", None)
        self.__dict__.pop("has_second_factor", None)
        super().refresh_from_db(*args, **kwargs)

    @cached_property
    def has_second_factor(self) -> bool:
        """Asked with the memberships, which every page needs; of whoever has none in a query of its own."""
        if self._entered:
            return bool(self._entered[0].__dict__["factor"])
        factors = self.authenticator_set  # type: ignore[attr-defined]  # allauth's table, without types
        return bool(factors.filter(type__in=SECOND_FACTORS).exists())

    @property
    def has_provided_factor(self) -> bool:
        """One of their company's sign-in: where they belong to that organisation alone, as far as its word goes."""
        return bool(self._entered) and all(membership.__dict__["provided"] for membership in self._entered)

    @property
    def roles(self) -> "dict[str, Role]":
        """Organisation's public id → role."""
        return {membership.organisation.public_id: Role(membership.role) for membership in self._memberships}

    def role_in(self, organisation_id: int) -> "Role | None":
        """None for somebody who does not belong there, and for whoever was locked out."""
        return next((Role(m.role) for m in self._memberships if m.organisation_id == organisation_id), None)

    @property
    def member_of(self) -> list[int]:
        return [membership.organisation_id for membership in self._memberships]

    @property
    def staff_of(self) -> list[int]:
        """Organisations whose whole estate this person sees."""
        return [m.organisation_id for m in self._memberships if Role(m.role).staff]

    @property
    def guest_of(self) -> list[int]:
        """Organisations where this person sees only what is their own."""
        return [m.organisation_id for m in self._memberships if m.role_here is Role.TECHNICIAN]

    def sees_where(self, organisation: str, own: str, power: Power | None = None) -> Q:
        """Rows of the organisations whose staff this person is, and their own of the others. For most people that is
        one condition: an OR keeps a database from reading the rows in the order of an index.
        """
        of_staff = Q(**{f"{organisation}__in": self.staff_of if power is None else self.sees(power)})
        if not self.guest_of:
            return of_staff
        as_guest = Q(**{own: self, f"{organisation}__in": self.guest_of})
        return of_staff | as_guest if self.staff_of else as_guest

    @property
    def supplier_ids(self) -> list[int]:
        return [membership.supplier_id for membership in self._memberships if membership.supplier_id is not None]

    def member_until(self, organisation_id: int) -> datetime | None:
        return next((m.ends_at for m in self._memberships if m.organisation_id == organisation_id), None)

    def firm_in(self, organisation_id: int) -> Firm | None:
        """The supplier that this person is of there, as it was assessed; None: of none, or no member."""
        theirs = (m.supplier for m in self._memberships if m.organisation_id == organisation_id)
        supplier = next(theirs, None)
        return supplier.firm if supplier is not None else None


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator"
    APPROVER = "approver"
    OPERATOR = "operator"
    TECHNICIAN = "technician"
    SERVICE = "service"  # of a service account: sees and cuts as an operator does, as far as its tokens go
    ANALYST = "analyst"  # a provider's person: nothing but what was delegated

    @property
    def staff(self) -> bool:
        """Works for the asset owner and sees the estate."""
        return self not in (Role.TECHNICIAN, Role.ANALYST)

    @property
    def approves(self) -> bool:
        return self in (Role.ADMINISTRATOR, Role.APPROVER)

    @property
    def administers(self) -> bool:
        return self is Role.ADMINISTRATOR


STAFF_PEOPLE = [role.value for role in Role if role.staff and role is not Role.SERVICE]  # no programs


class Membership(ByDelegation, Idle, Sponsored, models.Model):
    """What one person is in one organisation: its own staff, its own technician, or a supplier's."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships")
    # Why an identity provider gives it; empty: somebody here did, and no provider takes it away.
    given_by = models.ForeignKey(GroupRole, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_membership_one", fields=["person", "organisation"]),
            models.CheckConstraint(
                # A supplier's person is never staff: they would see the owner's whole estate.
                name="identity_supplier_is_technician",
                condition=Q(supplier__isnull=True) | Q(role="technician"),
            ),
            models.CheckConstraint(name="identity_stay_of_supplier", condition=OF_SUPPLIERS),
            models.CheckConstraint(
                name="identity_membership_role", condition=Q(role__in=[role.value for role in Role])
            ),
            models.CheckConstraint(
                name="identity_analyst_is_delegated",
                condition=Q(role="analyst", delegation__isnull=False) | (~Q(role="analyst") & Q(delegation=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.role} in {self.organisation_id}"

    @property
    def role_here(self) -> Role:
        return Role(self.role)


def _entered(person: int, at: datetime) -> "models.QuerySet[Membership]":
    factors = Person.objects.get_queryset().filter(pk=OuterRef("person"), authenticator__type__in=SECOND_FACTORS)
    found = Membership.objects.filter(person_id=person).select_related("organisation", "supplier", "delegation")
    shown = provided("person", "organisation")
    return found.annotate(provides=provides(at), factor=Exists(factors), provided=shown)


_ENTERED = KeptRows(_entered)


class MembershipOffer(Sponsored, models.Model):
    """What somebody known here already has been asked to become in one more organisation. The answer is theirs."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="membership_offers")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="membership_offers")
    role = models.CharField(max_length=16, choices=Role.choices)
    supplier = models.ForeignKey(
        Supplier, on_delete=models.PROTECT, null=True, blank=True, related_name="membership_offers"
    )
    offered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_offer_one", fields=["person", "organisation"]),
            models.CheckConstraint(
                name="identity_offer_supplier_is_technician",
                condition=Q(supplier__isnull=True) | Q(role="technician"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.role} in {self.organisation_id}?"


class Key(models.Model):
    """A private key of the installation. Without the master key the row is useless."""

    role = models.CharField(max_length=32)
    key_id = models.CharField(max_length=ID, unique=True)
    wrapped = models.BinaryField()
    certificate = models.BinaryField(default=b"")  # DER; the raw public key of an opening key
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_key_in_use", fields=["role"], condition=Q(retired_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.key_id}"


class LeadRow(models.Model):
    """Which process does a duty of which there is one at a time. See ``lead``."""

    duty = models.CharField(max_length=16, primary_key=True)
    holder = models.CharField(max_length=64)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.duty}: {self.holder}"


class Installation(models.Model):
    """One row: which installation this is, and the number of the last list of admitted gateways."""

    public_id = _id_field(Kind.INSTALLATION)
    created_at = models.DateTimeField(default=timezone.now)
    admitted_number = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="identity_one_installation", condition=Q(pk=1))]
