# SPDX-License-Identifier: Apache-2.0
"""Events of a spool that was replaced meanwhile: a relay may have kept them back, and late evidence is evidence.

Two gateways with one identity would look alike: one goes on with the old spool while the other writes the new one. What
tells them apart is signed: the gateway's own trusted time in its events.
"""

from portineria.control.audit.queries import views
from portineria.control.estate.models import Gateway
from portineria.control.kept_query import KeptRows
from portineria.control.remote_sessions.models import GatewayReport

# A gateway believes a signed time that was up to 30 s on its way (its setting answer_s), and is fast by so much.
CLOCK_MS = 30_000
_NEWEST = KeptRows(
    lambda gateway, epoch: GatewayReport.objects.filter(gateway=gateway, epoch=epoch).order_by("-seq")[:1]
)
_FIRST = 16  # the time is known a few events after a start


def newest_of(gateway: Gateway, epoch: bytes) -> GatewayReport | None:
    return _NEWEST.first(gateway.pk, epoch)


def took_turns(gateway: Gateway, epoch: bytes, at_ms: int) -> bool:
    """Whether this spool was written before *and* after the one of now began. Without known times: not proven."""
    began, now_began = _began_ms(gateway, epoch), _began_ms(gateway, bytes(gateway.epoch))
    if not (began and now_began and at_ms):
        return False
    return began + CLOCK_MS < now_began and now_began + CLOCK_MS < at_ms


def _began_ms(gateway: Gateway, epoch: bytes) -> int:
    """0 when none of its first events knew the time."""
    reports = GatewayReport.objects.filter(gateway=gateway, epoch=epoch).order_by("seq").select_related("event")
    said = (int(view.fields["gateway_at_ms"]) for view in views([report.event for report in reports[:_FIRST]]))
    return next((at_ms for at_ms in said if at_ms > 0), 0)
