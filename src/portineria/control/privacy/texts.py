# SPDX-License-Identifier: Apache-2.0
"""The notice as the product knows it of itself: what an owner begins with, and edits."""

from django.utils import translation
from django.utils.translation import gettext as _


def default_answers(language: str) -> dict[str, str]:
    """What is recorded, why, who may see it and how long it is kept, in one language."""
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
                "You see your own sessions, and your company may prove them to anybody."
            ),
            "how_long": _(
                "The register of accesses is kept for at least six months, and nothing is deleted from it. Recordings "
                "are kept as long as the plant says here: please complete."
            ),
        }
