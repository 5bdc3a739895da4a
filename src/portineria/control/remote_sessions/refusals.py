# SPDX-License-Identifier: Apache-2.0
"""Why a session does not begin, for whoever asked for it."""

from portineria.control.access.models import Grant
from portineria.control.access.queries import waiting_request
from portineria.control.access.watchers import watchers_in_words
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person
from portineria.core.errors import Conflict, Denied, Unavailable
from portineria.policy.decision import Decision
from portineria.policy.ending import Reason

_ASK_FOR = frozenset({Reason.NO_GRANT, Reason.EXPIRED, Reason.REVOKED, Reason.REVOKED_FOR_SECURITY})

# Read or proved at any time, also while a request waits.
_MENDED_BY_ONESELF = {Reason.NOTICE, Reason.TRAINING, Reason.SECOND_FACTOR_OLD}


class GatewayAway(Unavailable):
    code = "gateway.away"


class TooManySessions(Conflict):
    code = "session.too-many"


class NotPermitted(Denied):
    """``reasons`` are policy's."""

    code = "access.denied"

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__(" ".join(reason.value for reason in reasons))
        self.reasons = reasons
        if reasons:
            self.code = f"access.{reasons[0].value}"


class RequestWaits(Denied):
    """All that is missing is asked for already."""

    code = "access.request-waits"

    def __init__(self, request: str) -> None:
        super().__init__(f"{request} waits for a decision")
        self.values = {"request": request}


class WaitsForWatcher(NotPermitted):
    """All else is there: whoever the rule names to watch is not."""

    code = "access.waits-for-watcher"

    def __init__(self, grant: Grant) -> None:
        super().__init__((Reason.NOT_WATCHED,))
        self.code = type(self).code
        self.values = {"name": watchers_in_words(grant.rule), "request": grant.request.public_id}


def refusal(actor: Person, machine: Machine, judged: Decision) -> Denied:
    denials = judged.denials
    if denials == (Reason.NOT_WATCHED,):
        grant = Grant.objects.select_related("request", "rule__watcher").get(public_id=judged.grant)
        if grant.rule.watcher is not None:
            return WaitsForWatcher(grant)
    missing = set(denials) - _MENDED_BY_ONESELF
    waiting = waiting_request(actor, machine) if missing and _ASK_FOR.issuperset(missing) else None
    return RequestWaits(waiting.public_id) if waiting else NotPermitted(denials)
