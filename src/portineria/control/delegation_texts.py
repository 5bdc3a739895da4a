# SPDX-License-Identifier: Apache-2.0
"""What is said where something about delegations was refused, by its code (``control.problem``)."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

DELEGATION_TEXTS: dict[str, str | Promise] = {
    "identity.delegation.own-customer": _(
        "You belong to this customer yourself: you act there under your own name, as a member."
    ),
    "identity.delegation.too-many": _("Nothing was delegated: an organisation has at most 20 providers."),
    "identity.delegation.too-often": _(
        "Nothing was delegated: your organisation changed what it delegates too often within an hour. Wait a while; "
        "withdrawing works at any time."
    ),
    "identity.delegation.no-incident": _(
        "Nothing was declared: the customer granted no incident, or one was declared already."
    ),
    "identity.delegation.incident-runs": _(
        "Nothing was changed: while an incident runs that you granted beforehand, nothing is taken back from it."
    ),
}
