# SPDX-License-Identifier: Apache-2.0
"""The words of decoded operations, for pages that a script fills. A word that is not here is shown as it came."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from portineria.control.console.texts.left_out import CUT_RULES
from portineria.control.console.texts.values import KINDS

VERDICTS: Mapping[str, "str | Promise"] = {  # of the gateway's journal
    "passed": pgettext_lazy("an operation", "passed"),
    "refused": pgettext_lazy("an operation", "refused"),
    "noted": pgettext_lazy("an operation", "passed on trial"),
    "reported": pgettext_lazy("an operation", "reported by the device"),
    "own": pgettext_lazy("an operation", "read by the gateway"),
    "held": pgettext_lazy("an operation", "held"),
    "armed": pgettext_lazy("an operation", "allowed once"),
    "cut": pgettext_lazy("an operation", "cut out"),
}


def operation_words() -> list[tuple[str, str]]:
    """(kind of word, colon, the word as it comes; what people read)."""
    kinds = [(f"kind:{word}", str(text)) for word, text in KINDS.items()]
    kinds += [(f"kind:{rule}", str(text)) for rule, text in CUT_RULES.items()]
    return [*((f"verdict:{word}", str(text)) for word, text in VERDICTS.items()), *kinds]
