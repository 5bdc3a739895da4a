# SPDX-License-Identifier: Apache-2.0
"""Why something was refused or ended, in the words of whoever reads it on a page."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: dict[str, str | Promise] = {
    # policy.ending.Reason
    "person-disabled": _("the person is locked"),
    "no-membership": _("the person no longer belongs to the organisation"),
    "supplier-disabled": _("the supplier is locked"),
    "second-factor": _("no second factor is set up"),
    "gateway-not-admitted": _("the gateway is not admitted"),
    "revoked-for-security": _("the grant was revoked for security"),
    "no-rule": _("no rule admits this any more"),
    "no-grant": _("there is no grant"),
    "other-machine": _("the grant is for another machine"),
    "revoked": _("the grant was revoked"),
    "not-yet": _("the grant has not begun yet"),
    "expired": _("the time of the grant is over"),
    "nothing-to-reach": _("the machine has no services yet"),
    "outside-windows": _("outside the windows of the rule"),
    "time-zone-unknown": _("the plant's time zone does not exist any more"),
    # how a session ended
    "cut": _("cut"),
    "drained": _("what ran was allowed to finish"),
    "drain": _("what runs may finish"),
    "silence": _("the gateway heard nothing from here any more"),
    "finished": _("the technician finished"),
    "security": _("for security: at once"),
    "administrative": _("administrative: what runs may finish"),
    "cut-by-person": _("somebody cut it"),
    "drained-by-person": _("somebody let it finish"),
    "drain-overdue": _("the time to finish was over"),
    "machine-changed": _("what the session reaches was changed: a device's address, a service or the gateway"),
    "not-inspectable": _("its function profile cannot be held at the gateway"),
    "gateway-revoked": _("the gateway was revoked"),
    "never-accepted": _("the gateway never answered"),
    "gateway-silent": _("the gateway has been away since and sent no receipt"),
    # why a gateway refused an order or a connection
    "order.unknown": _("the gateway does not know this session"),
    "order.stale": _("the session was changed meanwhile"),
    "order.expired": _("the session's time is over"),
    "order.not-yet": _("the session's time has not begun"),
    "order.draining": _("the session is finishing: nothing new starts"),
    "lease.missing": _("the gateway heard nothing from here"),
    "service.not-granted": _("this service is not part of the grant"),
    "reach.refused": _("the gateway's own reach list does not allow this address"),
    "address.refused": _("an address that a gateway never dials"),
    "device.refused": _("the device refused the connection"),
    "device.unreachable": _("the device cannot be reached"),
    "device.silent": _("the device does not answer"),
    "streams.full": _("too many connections at once"),
    "recording.unavailable": _("the gateway cannot record, and this session must be recorded"),
    "recording.recipients": _("the gateway knows nobody, or too many, to encrypt the recording to"),
    "recording.recipient": _("the recording would be encrypted to something that is no key"),
    "recording.session": _("a session with a name that cannot be recorded"),
    "recording.full": _("the gateway's room for recordings is full"),
    "spool.full": _("the gateway's store of events is full"),
    "time.unknown": _("the gateway does not know the time yet"),
    "order.ended": _("the session has ended already"),
    "order.withdrawn": _("the session was withdrawn meanwhile"),
    "order.replayed": _("an older order was sent once more"),
    "order.forked": _("two different orders had the same number"),
    "order.key-used": _("its key belongs to another session"),
    "lease.lost": _("the gateway heard nothing from here any more"),
    "protocol.not-inspected": _("the gateway cannot inspect this protocol"),
    "profile.unreadable": _("the gateway does not understand the function profile"),
    # policy.function_profile.Why
    "function": _("the profile does not allow this function"),
    "unknown-function": _("a function that nobody knows"),
    "route": _("it would go on to another device"),
    "target": _("not one of the targets that the profile lists"),
    "value": _("a value beyond the profile's limits"),
    "rate": _("more often than the profile allows"),
    "many": _("many different ones, not listed one by one"),
    "hold": _("somebody has to say yes first"),
    # why a gateway refused or forgot what it held
    "hold.no": _("somebody said no"),
    "hold.deadline": _("nobody had answered when the tool had to be answered"),
    "hold.closed": _("the tool's connection was over"),
    "hold.used": _("the yes was for the same request on another connection"),
    "hold.many": _("too many questions at once"),
    "hold.away": _("the gateway had nobody to ask: no connection to here"),
    "hold.unanswered": _("nobody answered"),
    "hold.unused": _("it was not repeated in time"),
    # why a gateway's program began or ended
    "start": _("the program was started"),
    "stop": _("the program was stopped"),
    # why an attempt was denied
    "denied": _("the role does not allow it"),
    "request.own": _("nobody decides on their own request"),
    "request-waits": _("the request is not decided yet"),
    # quarantine
    "forked": _("it told two different histories"),
    "cloned": _("its identity was used in two places"),
    # admission
    "not-admitted-in-time": _("nobody admitted it within a day"),
    # classes of behaviour
    "until_expiry": _("goes on until the grant ends"),
    "low": _("low"),
    "normal": _("normal"),
    "high": _("high"),
}

ENDINGS: dict[str, str | Promise] = {  # of a session, where the word says more than it does as a reason
    "finished": _("nothing was running any more"),
}

HOW_CLOSED: dict[str, str | Promise] = {  # of one connection to a device
    "finished": _("both ends were done"),
    "reset": _("interrupted by one end"),
    "truncated": _("broken off"),
    "cut": _("cut"),
    "drained": _("the time to finish was over"),
    "expired": _("the time of the grant is over"),
    "silence": _("the gateway heard nothing from here any more"),
    "device.reset": _("interrupted by the device"),
    "tool.reset": _("interrupted by the technician's tool"),
    "hold.expired": _("the interruption was too long"),
    "protocol": _("something was sent that may not be sent"),
    "protocol.undecodable": _("bytes that are not of the inspected protocol"),
    "functions.changed": _("the permission changed: the tool has to connect again"),
    "gateway.stopped": _("the gateway's program was stopped"),
    "gateway.restarted": _("the gateway was restarted"),
    # how what was held passed
    "hold.held": _("while the tool waited"),
    "hold.armed": _("when it was repeated"),
}
