# SPDX-License-Identifier: Apache-2.0
"""Texts of errors that lie apart from the others (``problem_texts``, which takes them in), by topic."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portineria.control.field_texts import FIELD_TEXTS

TOPIC_TEXTS: dict[str, str | Promise] = {
    **FIELD_TEXTS,
    # More time for work that runs.
    "access.extension.none": _("You wait for no more time at this machine: nothing was withdrawn."),
    # Levels of approvals.
    "access.request.asks-them": _("They are asked for their yes already, or have answered. Choose somebody else."),
    "access.request.other-level": _(
        "Nothing was changed: others are asked for their yes now, as the request says; yours is not asked, or not yet. "
        "You may refuse the request."
    ),
    "access.rule.too-few": _(
        "Nothing was changed: level %(level)s asks for %(needed)s approvals, and only %(able)s could be given there, "
        "by people whom it asks, who may approve by their role and who are not needed in a level before."
    ),
    "field.approval_levels": _(
        "At most %(most)s levels, each of 1 to 5 approvals of a group, of up to 10 people or of whoever approves; no "
        "two of the same people; and none where nobody has to approve."
    ),
    # When work begins.
    "access.grant.not-begun": _(
        "Nothing was changed: no session was opened yet, and the time counts from the first one. Who needs more "
        "from the beginning asks anew."
    ),
    # How long suppliers' people stay.
    "access.membership-over": _(
        "The time that was agreed for you is over. Whoever answers for you at the plant may prolong it."
    ),
    "field.until": _("A day from today on, at most %(most)s days away."),
    "field.sponsor": _("Somebody of the organisation's own people answers for a supplier's person."),
    "field.stay": _("From 1 to %(most)s days."),
    # What comes again every week.
    "access.between-times": _("Your permission is for certain hours of the week, and this is none of them."),
    "access.grant.comes-again": _(
        "Nothing was changed: this permission comes again every week and each time ends by itself. Who needs longer "
        "today asks for that."
    ),
    "field.weekly": _(
        "These are not hours of every week: %(window)s. Write days and one time, such as Tue,Thu 14:00-16:00."
    ),
    "field.last_day": _("Give a last day within a year, for at least one time and at most %(most)s."),
    # The standing of suppliers.
    "access.supplier-standing": _(
        "The rule asks how well the owner assessed your company, and that is not enough, or over. Only the owner can "
        "enter another assessment: ask whoever answers for the machine."
    ),
}
