# SPDX-License-Identifier: Apache-2.0
"""What an event means to whoever watches: how severe it is, how it ended, and what an attacker's step it may show.

Severities are those of syslog (RFC 5424, 6.2.1), outcomes those of ECS (event.outcome). Techniques are of MITRE ATT&CK
for ICS 18.1, named only where the event is that step, tried or done, whoever did it: a permitted one is no attack.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from portineria.core.event import UnknownEvent, Value


class Severity(IntEnum):
    """A smaller number is worse."""

    CRITICAL = 2  # two things that cannot both be true: somebody lies, or something was put back
    ERROR = 3  # what should have worked did not, and somebody has to look
    WARNING = 4  # refused, ended in haste, or not as it was
    NOTICE = 5  # changes who may do what
    INFORMATIONAL = 6


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Meaning:
    severity: Severity
    outcome: Outcome


TECHNIQUES: Mapping[str, str] = {
    "T0816": "Device Restart/Shutdown",
    "T0822": "External Remote Services",
    "T0836": "Modify Parameter",
    "T0843": "Program Download",
    "T0845": "Program Upload",
    "T0855": "Unauthorized Command Message",
    "T0857": "System Firmware",
    "T0858": "Change Operating Mode",
    "T0859": "Valid Accounts",
    "T0886": "Remote Services",
    "T0888": "Remote System Information Discovery",
    "T0889": "Modify Program",
}
OF_CODES: Mapping[str, tuple[str, ...]] = {
    "identity.person.sign-in-failed": ("T0859",),
    "identity.second-factor.failed": ("T0859",),
    "order.refused": ("T0822",),
    "stream.refused": ("T0886",),
}
# By what the operation does: ``protocols.operation.Kind``. Reading values and files is everybody's daily work.
OF_OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "identify": ("T0888",),
    "write": ("T0836", "T0855"),
    "control": ("T0855",),
    "program-read": ("T0845",),
    "program-write": ("T0843", "T0889"),
    "start": ("T0858",),
    "stop": ("T0816", "T0858"),
    "mode": ("T0858",),
    "firmware": ("T0857",),
}
ON_OPERATIONS = (
    "operation.refused",
    "operation.would-refuse",
    "operation.held",
    "operation.hold-refused",
    "work.changed",
)


def _all(severity: Severity, outcome: Outcome, codes: str) -> Iterator[tuple[str, Meaning]]:
    return ((code, Meaning(severity, outcome)) for code in codes.split())


_C, _E, _W, _N, _I = Severity
_DONE, _FAILED, _OPEN = Outcome

MEANINGS: Mapping[str, Meaning] = dict(
    [
        *_all(_C, _FAILED, "audit.witness.disagreed audit.watched.caught register.regressed"),
        *_all(_C, _OPEN, "estate.gateway.forked estate.gateway.cloned estate.gateway.quarantined"),
        *_all(_C, _FAILED, "estate.gateway.events-lost estate.gateway.register-ahead"),
        *_all(_C, _FAILED, "sinks.register.gap"),
        *_all(_E, _FAILED, "sinks.sink.failing sinks.event.dead sinks.ticket.refused"),
        *_all(_W, _DONE, "sinks.sink.paused sinks.sink.removed sinks.sink.changed"),
        *_all(_N, _DONE, "sinks.sink.added sinks.sink.resumed sinks.sink.replayed sinks.sink.recovered"),
        *_all(_I, _DONE, "sinks.sink.tested sinks.ticket.told notification.choices.changed"),
        *_all(_E, _FAILED, "notification.delivery.given-up"),
        *_all(_N, _DONE, "notification.webhook.set notification.webhook.removed"),
        *_all(_N, _DONE, "privacy.notice.published privacy.terms.changed privacy.duty.given privacy.duty.ended"),
        *_all(_N, _DONE, "privacy.contents.agreed privacy.contents.withdrawn"),
        *_all(_N, _DONE, "remote_sessions.recording.deleted remote_sessions.hold.set remote_sessions.hold.lifted"),
        *_all(_N, _DONE, "remote_sessions.playback.asked remote_sessions.playback.allowed"),
        *_all(_N, _FAILED, "remote_sessions.playback.denied"),
        *_all(_I, _DONE, "remote_sessions.playback.ended"),
        *_all(_I, _DONE, "privacy.notice.acknowledged"),
        *_all(_N, _DONE, "access.training.published access.training.ended access.reasons.set"),
        *_all(_N, _DONE, "access.device.added access.device.revoked"),
        *_all(_N, _DONE, "identity.supplier.assessed"),
        *_all(_I, _DONE, "access.training.confirmed"),
        *_all(_E, _FAILED, "spool.full recording.gap recording.held remote_sessions.session.unproven"),
        *_all(_W, _FAILED, "identity.person.sign-in-failed identity.second-factor.failed identity.attempt.denied"),
        *_all(_W, _FAILED, "estate.enrolment.failed order.refused stream.refused operation.refused"),
        *_all(_W, _OPEN, "estate.gateway.epoch-changed gateway.clock.jumped gateway.other lease.lost"),
        *_all(_W, _DONE, "operation.would-refuse remote_sessions.session.cutting register.accepted"),
        *_all(_W, _DONE, "identity.person.disabled identity.supplier.disabled access.grant.revoked"),
        *_all(_W, _DONE, "identity.person.invited-again estate.gateway.revoked"),
        *_all(
            _N,
            _DONE,
            "audit.register.exported audit.register.extracted audit.watched.added remote_sessions.recording.read",
        ),
        *_all(_N, _DONE, "audit.report.taken"),
        *_all(_I, _DONE, "audit.report.read audit.search.saved audit.search.removed"),
        *_all(_W, _DONE, "identity.installation.restored"),
        *_all(_N, _DONE, "identity.installation.backed-up identity.installation.upgraded"),
        *_all(_N, _DONE, "identity.installation.created identity.organisation.created identity.supplier.created"),
        *_all(_N, _DONE, "identity.key.created identity.key.retired identity.key.destroyed identity.supplier.enabled"),
        *_all(_N, _DONE, "identity.person.created identity.person.enabled identity.person.erased"),
        *_all(_N, _DONE, "identity.person.invited identity.password.changed identity.password.set"),
        *_all(_N, _DONE, "identity.second-factor.added identity.second-factor.removed"),
        *_all(_N, _DONE, "identity.membership.added identity.membership.offered identity.membership.removed"),
        *_all(_N, _DONE, "identity.membership.closed identity.organisation.unused-limited"),
        *_all(_N, _DONE, "identity.membership.prolonged identity.membership.sponsored"),
        *_all(_N, _DONE, "identity.service-account.created identity.api-token.issued identity.api-token.revoked"),
        *_all(_I, _DONE, "identity.api-token.used identity.api-token.acted"),
        *_all(_W, _FAILED, "identity.sign-in.refused"),
        *_all(_W, _DONE, "identity.provider.disabled identity.provider.withdrawn"),
        *_all(_N, _DONE, "identity.provider.added identity.provider.enabled identity.provider.secret-replaced"),
        *_all(_N, _DONE, "identity.domain.claimed identity.domain.confirmed identity.domain.released"),
        *_all(_N, _DONE, "identity.group.mapped identity.group.unmapped identity.membership.vouched"),
        *_all(_N, _DONE, "identity.group.created identity.group.closed identity.group.joined identity.group.left"),
        *_all(_N, _DONE, "access.rules.paused"),
        *_all(_N, _DONE, "identity.group.sourced identity.group.unsourced identity.group.renamed"),
        *_all(_N, _DONE, "identity.membership.lapsed identity.account.connected identity.account.disconnected"),
        *_all(_N, _DONE, "identity.provider.refreshed identity.second-factor.vouched"),
        *_all(_W, _DONE, "identity.provider.factor-changed"),
        *_all(_I, _DONE, "identity.provider.tried"),
        *_all(_N, _DONE, "identity.token.issued estate.enrolment.offered estate.gateway.enrolled"),
        *_all(_N, _DONE, "estate.gateway.introduced estate.gateway.admitted estate.gateway.refused"),
        *_all(_N, _DONE, "estate.device.created estate.device.changed estate.service.created"),
        *_all(_N, _DONE, "estate.machine.created estate.machine.changed estate.service.removed access.profile.set"),
        *_all(_N, _DONE, "estate.machine.labelled"),
        *_all(_N, _DONE, "access.rule.created access.rule.changed access.rule.ended"),
        *_all(_W, _DONE, "identity.delegation.withdrawn identity.delegation.incident-declared"),
        *_all(_W, _DONE, "identity.delegation.declined"),
        *_all(_N, _DONE, "identity.delegation.given identity.delegation.entered identity.analyst.asked-about"),
        *_all(_N, _DONE, "identity.analyst.resolved identity.template.kept"),
        *_all(_N, _FAILED, "identity.analyst.kept-secret"),
        *_all(_W, _DONE, "access.lock.set access.emergency.taken gateway.cut"),
        *_all(_E, _DONE, "access.emergency.opened emergency.opened"),  # nobody approved it: somebody has to look
        *_all(_N, _DONE, "access.emergency.given access.emergency.limited access.emergency.reviewed"),
        *_all(_N, _DONE, "gateway.cut-lifted emergency.pin-set emergency.pin-removed"),
        *_all(_N, _DONE, "estate.gateway.emergency-allowed estate.gateway.emergency-ended"),
        *_all(_W, _FAILED, "emergency.refused"),
        *_all(_I, _DONE, "emergency.ended"),
        *_all(_N, _DONE, "access.lock.lifted remote_sessions.evidence.taken"),
        *_all(_N, _DONE, "access.maintenance.begun access.maintenance.ended"),
        *_all(_N, _DONE, "access.signal.added access.signal.removed"),
        *_all(_I, _DONE, "access.signal.changed"),
        *_all(_N, _DONE, "access.request.approved access.request.agreed access.grant.given access.grant.extended"),
        *_all(_N, _DONE, "access.grant.begun"),
        *_all(_N, _FAILED, "access.request.refused"),
        *_all(_N, _DONE, "access.extension.approved"),
        *_all(_N, _FAILED, "access.extension.refused"),
        *_all(_I, _DONE, "access.extension.asked access.extension.reminded access.extension.cancelled"),
        *_all(_I, _FAILED, "access.extension.expired"),
        *_all(_N, _DONE, "remote_sessions.session.functions-changed remote_sessions.recipients.changed"),
        *_all(_N, _DONE, "remote_sessions.identity.given-out gateway.trust.changed"),
        *_all(_I, _DONE, "audit.event.proven audit.register.read audit.event.read audit.export.checked"),
        *_all(
            _I,
            _DONE,
            "identity.directory.renamed identity.person.changed identity.person.signed-in identity.person.signed-out",
        ),
        *_all(_I, _DONE, "identity.browsers.signed-out identity.second-factor.renamed identity.token.revoked"),
        *_all(_I, _DONE, "identity.membership.declined estate.plant.created estate.plant.changed"),
        *_all(_I, _DONE, "estate.zone.created estate.line.created estate.line.changed estate.gateway.renewed"),
        *_all(_I, _DONE, "estate.gateway.connected estate.gateway.disconnected"),
        *_all(_I, _DONE, "access.request.made access.request.cancelled access.request.reminded access.request.ticket"),
        *_all(_I, _DONE, "access.job.written access.job.file-read"),
        *_all(_N, _DONE, "access.request.handed access.substitution.named access.substitution.ended"),
        *_all(_I, _DONE, "access.hours.set"),
        *_all(_I, _FAILED, "access.request.expired access.request.lapsed"),
        *_all(_I, _DONE, "remote_sessions.session.requested remote_sessions.session.extended"),
        *_all(_I, _DONE, "remote_sessions.session.draining remote_sessions.recording.completed"),
        *_all(_I, _DONE, "gateway.started gateway.stopped gateway.time.set order.accepted"),
        *_all(_I, _DONE, "stream.opened stream.closed stream.resumed"),
        *_all(_N, _OPEN, "operation.held"),
        *_all(_N, _DONE, "operation.armed operation.released remote_sessions.operation.allowed"),
        *_all(_N, _DONE, "remote_sessions.session.watched remote_sessions.session.thawing session.unfrozen"),
        *_all(_W, _DONE, "remote_sessions.session.freezing session.frozen"),
        *_all(_N, _DONE, "remote_sessions.report.signed remote_sessions.report.withdrawn remote_sessions.work.new"),
        *_all(_I, _DONE, "remote_sessions.report.changed"),
        *_all(_N, _FAILED, "operation.hold-refused operation.hold-expired remote_sessions.operation.denied"),
        *_all(_I, _DONE, "session.draining session.resumed session.ended session.worked"),
        *_all(_I, _DONE, "work.done work.changed work.transferred"),
        *_all(_N, _DONE, "session.transferring session.transferred"),
        *_all(_I, _DONE, "recording.started recording.sealed recording.withheld recording.finished"),
        *_all(_W, _OPEN, "remote_sessions.directory-end.asked"),
        *_all(_N, _DONE, "remote_sessions.directory-end.confirmed remote_sessions.directory-end.lapsed"),
        *_all(_W, _DONE, "remote_sessions.directory-end.refused"),
        *_all(_I, _DONE, "remote_sessions.directory-end.settled"),
    ]
)


UNKNOWN = Meaning(Severity.ERROR, Outcome.UNKNOWN)  # of a code that a newer version wrote: nothing is kept back


def meaning_of(code: str) -> Meaning:
    """Raise UnknownEvent."""
    try:
        return MEANINGS[code]
    except KeyError:
        raise UnknownEvent(f"nobody said how severe {code!r} is") from None


def techniques_of(code: str, fields: Mapping[str, Value]) -> tuple[str, ...]:
    if code in ON_OPERATIONS:
        return OF_OPERATIONS.get(str(fields.get("operation", "")), ())
    return OF_CODES.get(code, ())
