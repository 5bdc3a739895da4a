# SPDX-License-Identifier: Apache-2.0
"""The notice as the product knows it of itself: what an owner begins with, and edits."""

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def default_answers(language: str, days: int | None) -> dict[str, str]:
    """What is recorded, why, who may see it and how long it is kept, in one language. ``days``: of recordings."""
    with translation.override(language):
        return {
            "what": _(
                "Who you are, when you asked for access and who approved it, when you were connected and to which "
                "machine, and how much was transferred. Where a machine is inspected, also which functions were used "
                "there. Where the page of your session and your connector say so, what passes between your computer "
                "and the machine is recorded as well. Your screen, your keyboard and whatever else you do on your "
                "computer are not recorded."
            ),
            "why": _(
                "To protect the people and the machines of the plant, to prove what was done in a machine, and to "
                "find the cause of faults and incidents. Nobody's work is measured, rated or compared with it."
            ),
            "who": _(
                "The register of accesses is seen by those who administer, approve or supervise access at the plant. "
                "A recording is opened only when a named person asks for it with a reason and a second one, named to "
                "speak for those who were recorded, says yes for a limited time; both are in the register. You see "
                "your own sessions, and can prove them to anybody."
            ),
            "how_long": _how_long(days),
        }


def _how_long(days: int | None) -> str:
    register = _("The register of accesses is kept for good, in any case for more than six months.")
    if days is None:
        return register + " " + _("Recordings are kept until the plant deletes them: please say when.")
    kept = ngettext(
        "Recordings are deleted %(days)s day after the session, unless somebody names a reason to keep them as "
        "evidence.",
        "Recordings are deleted %(days)s days after the session, unless somebody names a reason to keep them as "
        "evidence.",
        days,
    )
    return register + " " + kept % {"days": days}
