# SPDX-License-Identifier: Apache-2.0
"""The event catalogue: every code that may enter the ledger, with its fields and what kind of data each holds.

Codes read ``app.noun.past-verb``; those that a gateway reports begin with what they are about. A code or a field that
is missing here is refused, so that nothing unclassified reaches a ledger that forgets nothing.
"""

from collections.abc import Mapping
from enum import StrEnum

from portineria.core.errors import Invalid

Value = str | int | bool


class DataClass(StrEnum):
    PUBLIC = "public"  # enters the leaf as it is: ids, states, counts, names of things
    PERSONAL = "personal"  # enters as SHA256(salt ‖ value); salt and value can be erased (WIRE 20)
    SECRET = "secret"  # enters as SHA256(salt ‖ value); the value itself is kept nowhere


class UnknownEvent(Invalid):
    code = "audit.event.unknown"


_PUBLIC, _PERSONAL, _SECRET = DataClass.PUBLIC, DataClass.PERSONAL, DataClass.SECRET
Fields = Mapping[str, DataClass]


def _fields(public: str = "", personal: str = "", secret: str = "") -> dict[str, DataClass]:
    found = dict.fromkeys(public.split(), _PUBLIC)
    found |= dict.fromkeys(personal.split(), _PERSONAL)
    return found | dict.fromkeys(secret.split(), _SECRET)


def _reported(public: str = "", personal: str = "") -> dict[str, DataClass]:
    """What a gateway says carries where it stood in that gateway's own chain, and the hash of the signed bytes."""
    return _fields(f"gateway session epoch gateway_seq report_sha256 boot gateway_at_ms {public}", personal)


_OPERATION = "stream service profile protocol function code operation targets route reason count"
_DONE = "service protocol function operation"
_RULE = (
    "minutes needs_approval machines places only_services profile only_decoded windows approvals needs_reference "
    "needs_recording watcher needs_maintenance signals trainings factor_minutes needs_listed_reason needs_device "
    "least_standing watchers approval_levels"
)
_SESSION = "session machine gateway person grant answered_by"
_EXTENSION = "extension grant request machine person"

_PAIR = "delegation customer customer_name provider_organisation provider_name"

CATALOGUE: Mapping[str, Fields] = {
    # the register itself
    "audit.register.extracted": _fields("events format first last"),
    "audit.report.read": _fields("report from_day until_day"),
    "audit.report.taken": _fields("report entries table_sha256"),
    "audit.search.saved": _fields("search shared", "name"),
    "audit.search.removed": _fields("search", "name"),
    "audit.register.exported": _fields("first"),
    "audit.event.proven": _fields("seq"),
    "audit.witness.disagreed": _fields("witness size witness_size"),
    "audit.watched.added": _fields("origin key"),
    "audit.watched.caught": _fields("origin size"),
    "audit.register.read": _fields(
        "of_kind of_person of_machine of_supplier of_gateway of_session from_day until_day", "text"
    ),
    "audit.event.read": _fields("seq"),
    "audit.export.checked": _fields("first last faults"),
    # identity
    "identity.installation.created": _fields("installation version"),
    "identity.installation.backed-up": _fields("version recipients"),
    "identity.installation.restored": _fields("version made_at"),
    "identity.installation.upgraded": _fields("version changes"),
    "identity.key.created": _fields("role key sha256"),
    "identity.key.retired": _fields("role key"),
    "identity.key.destroyed": _fields("role key"),
    "identity.organisation.created": _fields("organisation name"),
    "identity.supplier.created": _fields("supplier name"),
    "identity.supplier.disabled": _fields("supplier", "reason"),
    "identity.supplier.enabled": _fields("supplier", "reason"),
    "identity.supplier.assessed": _fields("supplier level assessed_on valid_until", "assessed_by assessment"),
    "identity.person.created": _fields("person role supplier", "name email"),
    "identity.person.changed": _fields("person language time_zone", "name"),
    "identity.person.disabled": _fields("person", "reason"),
    "identity.person.enabled": _fields("person", "reason"),
    "identity.person.erased": _fields("person values"),
    "identity.person.invited": _fields("person", secret="link"),
    "identity.person.invited-again": _fields("person", "reason", secret="link"),
    "identity.person.signed-in": _fields("person method", "address"),
    "identity.person.sign-in-failed": _fields("", "email address"),
    "identity.person.signed-out": _fields("person", "address"),
    "identity.browsers.signed-out": _fields("person browsers", "address"),
    "identity.password.changed": _fields("person", "address"),
    "identity.password.set": _fields("person", "address"),
    "identity.second-factor.failed": _fields("person kind", "address"),
    "identity.second-factor.added": _fields("person kind"),
    "identity.second-factor.renamed": _fields("person kind"),
    "identity.second-factor.removed": _fields("person kind", "reason"),
    "identity.second-factor.vouched": _fields("person provider"),
    "identity.membership.added": _fields("person role supplier until sponsor"),
    "identity.membership.offered": _fields("person role supplier until sponsor"),
    "identity.membership.declined": _fields("person role supplier"),
    "identity.membership.removed": _fields("person role supplier", "reason"),
    "identity.membership.prolonged": _fields("person until sponsor"),
    "identity.membership.sponsored": _fields("person until sponsor"),
    "identity.membership.closed": _fields("person role supplier why used_at"),
    "identity.organisation.unused-limited": _fields("supplied own programs stay"),
    "identity.membership.vouched": _fields("person role supplier provider group"),
    "identity.membership.lapsed": _fields("person role provider why"),
    "identity.account.connected": _fields("person provider"),
    "identity.account.disconnected": _fields("person provider"),
    "identity.sign-in.refused": _fields("provider why", "email address"),
    "identity.provider.added": _fields("provider kind name issuer"),
    "identity.provider.tried": _fields("provider role why"),
    "identity.provider.refreshed": _fields("provider"),
    "identity.provider.secret-replaced": _fields("provider"),
    "identity.provider.disabled": _fields("provider", "reason"),
    "identity.provider.enabled": _fields("provider", "reason"),
    "identity.provider.withdrawn": _fields("provider name", "reason"),
    "identity.provider.factor-changed": _fields("provider second_factor levels"),
    "identity.domain.claimed": _fields("provider domain"),
    "identity.domain.confirmed": _fields("provider domain"),
    "identity.domain.released": _fields("provider domain"),
    "identity.group.mapped": _fields("provider group role supplier"),
    "identity.group.unmapped": _fields("provider group role"),
    "identity.group.created": _fields("group name"),
    "identity.group.closed": _fields("group name", "reason"),
    "identity.group.joined": _fields("group person joined_by"),
    "identity.group.left": _fields("group person joined_by"),
    "identity.group.sourced": _fields("group provider claimed"),
    "identity.group.unsourced": _fields("group provider claimed"),
    "identity.group.renamed": _fields("group name previous"),
    "identity.directory.renamed": _fields("person", "name email"),
    "identity.token.issued": _fields("person token expires_at", "name address"),
    "identity.token.revoked": _fields("person token"),
    "identity.service-account.created": _fields("person answered_by", "name"),
    "identity.api-token.issued": _fields("person token scopes expires_at bound", "name"),
    "identity.api-token.revoked": _fields("person token"),
    "identity.api-token.used": _fields("person token", "address"),
    "identity.api-token.acted": _fields("person token operation", "address"),
    "identity.attempt.denied": _fields("person why what", "address"),
    "identity.delegation.given": _fields(f"{_PAIR} powers ends_at incident_hours"),
    "identity.delegation.withdrawn": _fields(f"{_PAIR} ends_at", "reason"),
    "identity.delegation.declined": _fields(_PAIR, "reason"),
    "identity.delegation.incident-declared": _fields(f"{_PAIR} until", "reason"),
    "identity.delegation.entered": _fields("person delegation provider_organisation provider_name"),
    "identity.template.kept": _fields("sha256"),
    "identity.analyst.asked-about": _fields(f"{_PAIR} analyst question", "reason"),
    "identity.analyst.kept-secret": _fields(f"{_PAIR} analyst question", "reason"),
    "identity.analyst.resolved": _fields(f"{_PAIR} analyst question person"),
    # estate
    "estate.plant.created": _fields("plant name time_zone"),
    "estate.plant.changed": _fields("plant time_zone previous_time_zone"),
    "estate.zone.created": _fields("plant name"),
    "estate.line.created": _fields("plant name zone"),
    "estate.line.changed": _fields("plant name zone previous_zone"),
    "estate.enrolment.offered": _fields("plant lookup expires_at", secret="code"),
    "estate.enrolment.failed": _fields("plant lookup failures dead", "address"),
    "estate.gateway.enrolled": _fields("gateway plant name fingerprint version lookup", "address"),
    "estate.gateway.introduced": _fields("gateway plant name fingerprint version", "address"),
    "estate.gateway.admitted": _fields("gateway fingerprint"),
    "estate.gateway.refused": _fields("gateway", "reason"),
    "estate.gateway.revoked": _fields("gateway", "reason"),
    "estate.gateway.renewed": _fields("gateway fingerprint previous_fingerprint expires_at"),
    "estate.gateway.connected": _fields("gateway relay", "address"),
    "estate.gateway.disconnected": _fields("gateway relay"),
    "estate.gateway.forked": _fields("gateway epoch gateway_seq stored_sha256 report_sha256"),
    "estate.gateway.cloned": _fields("gateway boot previous_boot"),
    "estate.gateway.quarantined": _fields("gateway why"),
    "estate.gateway.epoch-changed": _fields("gateway epoch previous_epoch previous_seq"),
    "estate.gateway.events-lost": _fields("gateway epoch first last"),
    "estate.gateway.register-ahead": _fields("gateway size sealed_size"),
    "estate.gateway.emergency-allowed": _fields("gateway"),
    "estate.gateway.emergency-ended": _fields("gateway"),
    "estate.machine.created": _fields("machine plant line name tag gateway"),
    "estate.machine.changed": _fields("machine changed"),
    "estate.machine.labelled": _fields("machine labels previous_labels"),
    "estate.device.created": _fields("machine device name", secret="address"),
    "estate.device.changed": _fields("machine device name", secret="address previous_address"),
    "estate.service.created": _fields(
        "machine device service name protocol port transport own_routes client_timeout_s free_reads"
    ),
    "estate.service.removed": _fields("machine device service name"),
    # access
    "access.profile.set": _fields("profile name version clauses hold notes_only sha256 rules"),
    "access.rules.paused": _fields("rules sessions ends_at"),
    "access.rule.created": _fields(f"rule supplier person group {_RULE}"),
    "access.rule.changed": _fields(f"rule {_RULE}"),
    "access.rule.ended": _fields("rule", "reason"),
    "access.lock.set": _fields("lock kind person supplier machine gateway plant name", "reason"),
    "access.lock.lifted": _fields("lock kind person supplier machine gateway plant name", "reason"),
    "access.maintenance.begun": _fields("maintenance machine plant name ends_at", "reason"),
    "access.maintenance.ended": _fields("maintenance machine plant name ends_at", "reason"),
    "access.signal.added": _fields("signal machine gateway name kind source", secret="address"),
    "access.signal.removed": _fields("signal machine gateway name", "reason"),
    "access.signal.changed": _fields("signal machine gateway name standing why"),
    "access.request.made": _fields(
        "request machine person starts_at minutes rule reference bundle answered_by listed_reason weekly until",
        "reason",
    ),
    "access.request.agreed": _fields("request machine person missing substitution level_asked for_level", "reason"),
    "access.request.approved": _fields("request machine person substitution for_level", "reason"),
    "access.request.refused": _fields("request machine person substitution", "reason"),
    "access.request.handed": _fields("request machine person substitution to"),
    "access.request.reminded": _fields("request machine person ends_at"),
    "access.request.cancelled": _fields("request machine person"),
    "access.request.expired": _fields("request machine person"),
    "access.request.lapsed": _fields("request machine person why"),
    "access.request.ticket": _fields("request machine person system standing ticket_state reference"),
    "access.job.written": _fields("request machine person entry job to content_sha256"),
    "access.job.file-read": _fields("request machine person entry job"),
    "access.substitution.named": _fields("substitution person approver starts_at ends_at"),
    "access.substitution.ended": _fields("substitution person approver"),
    "access.hours.set": _fields("person windows"),
    "access.grant.given": _fields(
        "grant request machine person starts_at ends_at profile narrower minutes begin_by weekly"
    ),
    "access.grant.begun": _fields("grant machine person ends_at"),
    "access.grant.extended": _fields("grant machine person ends_at previous_ends_at"),
    "access.grant.revoked": _fields("grant machine person ending", "reason"),
    "access.extension.asked": _fields(f"{_EXTENSION} minutes ends_at answered_by", "reason"),
    "access.extension.approved": _fields(f"{_EXTENSION} minutes ends_at substitution"),
    "access.extension.refused": _fields(f"{_EXTENSION} substitution", "reason"),
    "access.extension.reminded": _fields(f"{_EXTENSION} ends_at"),
    "access.extension.expired": _fields(_EXTENSION),
    "access.extension.cancelled": _fields(_EXTENSION),
    "access.device.added": _fields("company_device person name sha256 ends_at"),
    "access.device.revoked": _fields("company_device person name", "reason"),
    "access.reasons.set": _fields("plant reasons"),
    "access.training.published": _fields("training name number days"),
    "access.training.ended": _fields("training name", "reason"),
    "access.training.confirmed": _fields("training person number language ends_at"),
    "access.emergency.given": _fields("role person plant minutes guest"),
    "access.emergency.taken": _fields("role person plant", "reason"),
    "access.emergency.limited": _fields("minutes"),
    "access.emergency.opened": _fields(
        "review grant request machine person starts_at ends_at supplier level least_standing", "reason"
    ),
    "access.emergency.reviewed": _fields("review machine person", "reason"),
    # remote sessions
    "remote_sessions.session.requested": _fields(f"{_SESSION} order_seq order_sha256 ends_at", "address"),
    "remote_sessions.session.extended": _fields(f"{_SESSION} order_seq order_sha256 ends_at"),
    "remote_sessions.session.functions-changed": _fields(f"{_SESSION} order_seq order_sha256 ends_at profile"),
    "remote_sessions.session.draining": _fields(f"{_SESSION} seconds why ending", "reason"),
    "remote_sessions.session.cutting": _fields(f"{_SESSION} why ending", "reason"),
    "remote_sessions.session.freezing": _fields(f"{_SESSION} number", "reason"),
    "remote_sessions.session.thawing": _fields(f"{_SESSION} number", "reason"),
    "remote_sessions.session.watched": _fields(_SESSION),
    "remote_sessions.operation.allowed": _fields(f"{_SESSION} held question request_sha256", "reason"),
    "remote_sessions.operation.denied": _fields(f"{_SESSION} held question request_sha256", "reason"),
    "remote_sessions.session.unproven": _fields(f"{_SESSION} why"),
    "remote_sessions.recipients.changed": _fields("recipients"),
    "remote_sessions.directory-end.asked": _fields("directory_end sessions open_sessions ends_at"),
    "remote_sessions.directory-end.confirmed": _fields("directory_end sessions", "reason"),
    "remote_sessions.directory-end.refused": _fields("directory_end sessions", "reason"),
    "remote_sessions.directory-end.lapsed": _fields("directory_end sessions"),
    "remote_sessions.directory-end.settled": _fields("directory_end"),
    "remote_sessions.identity.given-out": _fields("recipients"),
    "remote_sessions.recording.completed": _fields("session gateway recording number head lost"),
    "remote_sessions.recording.read": _fields("session machine gateway person recording"),
    "remote_sessions.recording.deleted": _fields("session machine gateway person recording number head days"),
    "remote_sessions.hold.set": _fields("session machine gateway person", "reason"),
    "remote_sessions.hold.lifted": _fields("session machine gateway person"),
    "remote_sessions.playback.asked": _fields("session machine gateway person playback hours reference", "reason"),
    "remote_sessions.playback.allowed": _fields("session machine gateway person playback until"),
    "remote_sessions.playback.denied": _fields("session machine gateway person playback"),
    "remote_sessions.playback.ended": _fields("session machine gateway person playback"),
    "remote_sessions.work.new": _fields("session machine gateway person supplier new_functions new_targets"),
    "remote_sessions.report.changed": _fields("session machine gateway person side"),
    "remote_sessions.report.signed": _fields("session machine gateway person side text_sha256"),
    "remote_sessions.report.withdrawn": _fields("session machine gateway person side text_sha256"),
    "remote_sessions.evidence.taken": _fields("session machine gateway person"),
    # privacy: what people are told, and what is kept of them
    "privacy.notice.published": _fields("number"),
    "privacy.notice.acknowledged": _fields("person number language"),
    "privacy.duty.given": _fields("person duty"),
    "privacy.duty.ended": _fields("person duty"),
    "privacy.contents.agreed": _fields("supplier side"),
    "privacy.contents.withdrawn": _fields("supplier side"),
    "privacy.terms.changed": _fields("records_staff records_suppliers records_agents days"),
    # sinks: where the register goes besides
    "sinks.sink.added": _fields("sink kind name personal"),
    "sinks.sink.changed": _fields("sink name personal settings"),
    "sinks.sink.paused": _fields("sink"),
    "sinks.sink.resumed": _fields("sink"),
    "sinks.sink.removed": _fields("sink name"),
    "sinks.sink.replayed": _fields("sink first"),
    "sinks.sink.tested": _fields("sink"),
    "sinks.sink.failing": _fields("sink why"),
    "sinks.sink.recovered": _fields("sink"),
    "sinks.ticket.told": _fields("sink session reference"),
    "sinks.ticket.refused": _fields("sink session reference why"),
    "sinks.event.dead": _fields("sink seq why"),
    "sinks.register.gap": _fields("sink first last"),
    # notifications: what people are told
    "notification.choices.changed": _fields("person console mail webhook"),
    "notification.webhook.set": _fields("person", "host"),
    "notification.webhook.removed": _fields("person"),
    "notification.delivery.given-up": _fields("person notification channel answer"),
    # reported by a gateway
    "gateway.started": _reported("version reason"),
    "gateway.stopped": _reported("reason"),
    "gateway.cut": _reported("sessions", "reason"),
    "gateway.cut-lifted": _reported("", "reason"),
    "gateway.time.set": _reported("unix_ms step_ms source"),
    "gateway.clock.jumped": _reported("step_ms"),
    "gateway.trust.changed": _reported("added what"),
    "gateway.other": _reported("code"),
    "order.accepted": _reported("order_seq order_sha256 expires_ms"),
    "order.refused": _reported("order_seq order_sha256 reason"),
    "stream.opened": _reported("stream service address port transport"),
    "stream.closed": _reported("stream to_device from_device how refused recognised"),
    "stream.refused": _reported("stream service address port transport reason"),
    "stream.resumed": _reported("stream after_ms relay"),
    "operation.refused": _reported(_OPERATION),
    "operation.would-refuse": _reported(_OPERATION),
    "work.done": _reported(f"{_DONE} count refused noted unconfirmed"),
    # What was read from a machine or written to it may be anybody's words.
    "work.changed": _reported(f"{_DONE} code targets route count unconfirmed", "before after"),
    "work.transferred": _reported("service protocol operation targets route content_sha256 bytes whole into_device"),
    "session.worked": _reported("operations refused functions changes blocks beyond"),
    "operation.held": _reported(f"{_OPERATION} question request_sha256 hold_ms answer_s", "values besides"),
    "operation.hold-refused": _reported(f"{_OPERATION} question"),
    "operation.armed": _reported("question request_sha256 seconds"),
    "operation.released": _reported("question request_sha256 stream how waited_ms"),
    "operation.hold-expired": _reported("question reason"),
    "session.draining": _reported("seconds reason"),
    "session.resumed": _reported("reason"),
    "session.transferring": _reported("operation"),
    "session.transferred": _reported("seconds"),
    "session.frozen": _reported("number latency_ms"),
    "session.unfrozen": _reported("number latency_ms"),
    "session.ended": _reported("ending reason latency_ms streams to_device from_device order_sha256"),
    "spool.full": _reported("dropped limit_bytes"),
    "register.regressed": _reported("reason origin size root kept_size kept_root"),
    "register.accepted": _reported("size root kept_size"),
    "recording.started": _reported("recording number head mode key recipients"),
    "recording.sealed": _reported("recording number head to_device from_device lost"),
    "recording.finished": _reported("recording number head to_device from_device lost end streams"),
    "recording.withheld": _reported("recording service cut_rule count bytes"),
    "recording.held": _reported("recording reason"),
    "recording.gap": _reported("recording reason"),
    "emergency.pin-set": _reported("", "holder"),
    "emergency.pin-removed": _reported("", "holder"),
    "emergency.refused": _reported("machine service why failures", "holder second client"),
    "emergency.opened": _reported("machine service address port seconds linked", "holder second client reason"),
    "emergency.ended": _reported("how to_device from_device"),
    "lease.lost": _reported("on_silence since_ms"),
}
REPORTED_BY_GATEWAYS = frozenset(code for code, fields in CATALOGUE.items() if "gateway_at_ms" in fields)


def fields_of(code: str) -> Fields:
    try:
        return CATALOGUE[code]
    except KeyError:
        raise UnknownEvent(f"no event is called {code!r}") from None


def classify(code: str, fields: Mapping[str, Value]) -> dict[str, DataClass]:
    """Return the class of every given field; raise UnknownEvent for a code or field the catalogue does not have."""
    known = fields_of(code)
    if unknown := fields.keys() - known.keys():
        raise UnknownEvent(f"{code} has no field {sorted(unknown)}")
    return {name: known[name] for name in fields}
