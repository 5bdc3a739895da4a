# SPDX-License-Identifier: Apache-2.0
"""Why a permission ended decides how its sessions end: at once, or by letting what runs finish."""

from collections.abc import Iterable
from enum import StrEnum


class Ending(StrEnum):
    SECURITY = "security"  # cut at once
    ADMINISTRATIVE = "administrative"  # drain: nothing new starts, what runs may finish within the drain time


class Locked(StrEnum):
    """What somebody may have locked. Each has a reason of its own."""

    PERSON = "person"
    SUPPLIER = "supplier"
    MACHINE = "machine"
    LINE = "line"
    ZONE = "zone"
    PLANT = "plant"
    GATEWAY = "gateway"
    EVERYTHING = "everything"


class Device(StrEnum):
    """The computer that work begins from, or began from, as the owner knows it."""

    KNOWN = "known"
    NONE = "none"  # unknown, or its time is over
    REVOKED = "revoked"


class Reason(StrEnum):
    """Why an attempt is refused. Operators read all of them, not only the first."""

    PERSON_DISABLED = "person-disabled"
    NO_MEMBERSHIP = "no-membership"
    MEMBERSHIP_OVER = "membership-over"
    SUPPLIER_DISABLED = "supplier-disabled"
    SECOND_FACTOR = "second-factor"
    GATEWAY_NOT_ADMITTED = "gateway-not-admitted"
    REVOKED_FOR_SECURITY = "revoked-for-security"
    NO_RULE = "no-rule"
    NO_EMERGENCY_ROLE = "no-emergency-role"
    NO_GRANT = "no-grant"
    OTHER_MACHINE = "other-machine"
    REVOKED = "revoked"
    NOT_YET = "not-yet"
    EXPIRED = "expired"
    NOTHING_TO_REACH = "nothing-to-reach"
    OUTSIDE_WINDOWS = "outside-windows"
    TIME_ZONE_UNKNOWN = "time-zone-unknown"
    NOT_RECORDED = "not-recorded"
    NO_APPROVAL = "no-approval"
    TICKET = "ticket"
    NOTICE = "notice"
    NO_GROUP = "no-group"
    CHANGE_WAITS = "change-waits"
    TRAINING = "training"
    SECOND_FACTOR_OLD = "second-factor-old"
    COMPANY_DEVICE = "company-device"
    DEVICE_REVOKED = "device-revoked"
    LOCKED_PERSON = "locked-person"
    LOCKED_SUPPLIER = "locked-supplier"
    LOCKED_MACHINE = "locked-machine"
    LOCKED_LINE = "locked-line"
    LOCKED_ZONE = "locked-zone"
    LOCKED_PLANT = "locked-plant"
    LOCKED_GATEWAY = "locked-gateway"
    LOCKED_EVERYTHING = "locked-everything"
    MAINTENANCE = "maintenance"
    PRESENCE = "presence"
    PRESENCE_SETTABLE = "presence-settable"
    NOBODY_ANSWERS = "nobody-answers"
    NOT_WATCHED = "not-watched"
    SUPPLIER_STANDING = "supplier-standing"
    BETWEEN_TIMES = "between-times"


BY_LOCK = {kind: Reason(f"locked-{kind.value}") for kind in Locked}

_SECURITY = frozenset(
    {
        *BY_LOCK.values(),
        Reason.PERSON_DISABLED,
        Reason.NO_MEMBERSHIP,
        Reason.SUPPLIER_DISABLED,
        Reason.SECOND_FACTOR,
        Reason.GATEWAY_NOT_ADMITTED,
        Reason.REVOKED_FOR_SECURITY,
        Reason.OTHER_MACHINE,
        Reason.NO_EMERGENCY_ROLE,
        Reason.NO_GROUP,
        Reason.NOBODY_ANSWERS,
        Reason.DEVICE_REVOKED,
    }
)


def ending_of(reasons: Iterable[Reason]) -> Ending:
    """One reason of security is enough: a grant that ended while its person was locked out is cut, not drained."""
    return Ending.SECURITY if _SECURITY & set(reasons) else Ending.ADMINISTRATIVE
