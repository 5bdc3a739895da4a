# SPDX-License-Identifier: Apache-2.0
"""What is said to somebody whom an identity provider sent, and who does not come in. A test keeps it complete."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from portineria.control.identity.claims import Refusal

_ASK = _("Ask whoever administers your organisation here.")
REFUSALS: Mapping[Refusal, "tuple[object, object]"] = {
    Refusal.CANCELLED: (_("The sign-in was broken off at your company."), ""),
    Refusal.UNREACHABLE: (
        _("Your company's sign-in does not answer at the moment."),
        _("Try again later. An account of this server still works."),
    ),
    Refusal.UNPROVEN: (
        _("Your company's answer does not prove who you are, or it came too late."),
        _("Begin the sign-in anew; if it happens again, ask whoever administers your organisation here."),
    ),
    Refusal.GONE: (_("This sign-in is switched off."), _ASK),
    Refusal.GROUPS_ELSEWHERE: (
        _("You are in more groups than your company's sign-in tells at once, so nobody here knows your role."),
        _("Whoever administers it has to send only the groups that concern this server, or app roles."),
    ),
    Refusal.GROUPS_MISSING: (_("Your company's sign-in names no groups of yours, so you have no role here."), _ASK),
    Refusal.NO_ROLE: (_("None of your groups has a role here."), _ASK),
    Refusal.NO_ADDRESS: (_("Your company's sign-in gives no e-mail address of yours."), _ASK),
    Refusal.OTHER_DOMAIN: (_("Your e-mail address is not of a domain that comes in this way."), _ASK),
    Refusal.ADDRESS_TAKEN: (
        _("There is an account with your e-mail address already."),
        _("Sign in with it and connect it yourself: My account, Signing in."),
    ),
    Refusal.ELSEWHERE: (
        _("You belong to several organisations here, and your company speaks for its own only."),
        _("Sign in with your account of this server."),
    ),
    Refusal.LOCKED: (_("Your account is locked."), _ASK),
    Refusal.SOMEBODY_ELSE: (
        _("Your company's sign-in names somebody else than who is signed in here."),
        _("Sign out there, and begin anew."),
    ),
    Refusal.NO_FACTOR: (_("Your company's sign-in showed no second factor of yours that counts here."), _ASK),
    Refusal.NOT_ANEW: (
        _("Your company's sign-in did not ask for your second factor anew, or did not say when it did."),
        _ASK,
    ),
    Refusal.CONNECTED: (_("This identity, or your account, is connected otherwise already."), _ASK),
}
