# SPDX-License-Identifier: Apache-2.0
"""What people are told, in one sentence each. A test keeps the list complete."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Words = Mapping[str, "str | Promise"]

# Of a kind, where somebody chooses about it.
KINDS: Words = {
    "waits": _("A request waits for my decision"),
    "decided": _("My request or grant was decided"),
    "ends": _("My session ends soon, or somebody ends it"),
    "held": _("A gateway holds an operation until somebody answers"),
    "opened": _("A machine is opened in an emergency, without approval"),
    "locked": _("A lock concerns me"),
    "job": _("Somebody writes about work that I take part in"),
    "standing": _("The standing of a supplier is over soon"),
    "role": _("What I may do somewhere changed"),
}
CHANNELS: Words = {
    "console": pgettext_lazy("way of a notification", "here"),
    "mail": _("E-mail"),
    "webhook": _("Webhook"),
}
WEBHOOKS: Words = {
    "signed": _("signed JSON (Standard Webhooks)"),
    "slack": _("Slack: an incoming webhook"),
    "teams": _("Microsoft Teams: a workflow that posts what a webhook receives"),
}
# By what happened.
SENTENCES: Words = {
    "access.request.made": _("A request waits for your decision"),
    "access.request.handed": _("Somebody handed you a request to decide in their place"),
    "access.request.reminded": _("A request still waits and will expire"),
    "access.request.agreed": _("The approvals before yours are there: a request waits for your decision"),
    "request.in-your-hours": _("Your hours have begun, and a request waits for your decision"),
    "access.request.approved": _("Your request was approved"),
    "access.request.refused": _("Your request was refused"),
    "access.request.expired": _("Nobody decided your request in time"),
    "access.request.lapsed": _("Your request ended: a yes would open nothing any more"),
    "access.grant.revoked": _("Your grant was revoked"),
    "access.extension.asked": _("Somebody at work asks you for more time"),
    "access.extension.reminded": _("Somebody at work still waits for more time, and their time ends soon"),
    "access.extension.approved": _("You got more time"),
    "access.extension.refused": _("You get no more time"),
    "remote_sessions.session.draining": _("Your session is being ended; what runs may finish"),
    "remote_sessions.session.cutting": _("Your session was cut"),
    "session.ends-soon": _("Your session ends soon"),
    "supplier.standing-ends-soon": _("The standing of a supplier is over soon: assess it anew"),
    "membership.closes-soon": _("You have not been here for long: your access closes in two weeks unless you come"),
    "membership.ends-soon": _("The time of a supplier's person ends soon: prolong it, if they go on working here"),
    "membership.own-ends-soon": _("Your time here ends within a week: ask whoever answers for you to prolong it"),
    "program.closes-soon": _("A program has not been used for long: its account closes in two weeks"),
    "operation.held": _("A gateway holds an operation: answer yes or no"),
    "remote_sessions.directory-end.asked": _("A directory took out many people who are inside: end their sessions?"),
    "access.emergency.opened": _("Opened in an emergency, without approval"),
    "emergency.opened": _("Opened at the gateway's console, without the server"),
    "access.job.written": _("Something was written about your work"),
    "access.lock.set": _("Locked: nobody gets in there for now"),
    "access.lock.lifted": _("A lock was lifted"),
    "identity.membership.added": _("You belong to an organisation now"),
    "identity.delegation.given": _("Something was delegated to a provider"),
    "identity.delegation.withdrawn": _("A delegation was withdrawn"),
    "identity.delegation.declined": _("A provider gave back what was delegated to it"),
    "identity.delegation.incident-declared": _("A provider declared an incident"),
    "identity.analyst.asked-about": _("Somebody asks who is behind a pseudonym"),
    "identity.analyst.resolved": _("Both organisations said who is behind a pseudonym"),
    "access.substitution.named": _("You stand in for an approver"),
    "access.substitution.ended": _("A substitution that concerns you ended"),
}
# An icon and a colour, as a state has them.
SHOWN: Mapping[str, tuple[str, str]] = {
    "waits": ("hourglass", "wait"),
    "decided": ("circle-check", "accent"),
    "ends": ("clock", "wait"),
    "held": ("alert-triangle", "stop"),
    "opened": ("alert-triangle", "stop"),
    "locked": ("lock", "stop"),
    "job": ("file-text", "accent"),
    "standing": ("clock", "wait"),
    "role": ("user", "accent"),
}
