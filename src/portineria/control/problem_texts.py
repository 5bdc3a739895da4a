# SPDX-License-Identifier: Apache-2.0
"""What is said of an error: what happened, what was kept, what to do. By its code."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portineria.control.delegation_texts import DELEGATION_TEXTS
from portineria.control.topic_texts import TOPIC_TEXTS

TEXTS: dict[str, str | Promise] = {
    **TOPIC_TEXTS,
    **DELEGATION_TEXTS,
    "not-found": _("There is nothing here, or nothing that you may see."),
    "body.too-large": _("What was sent is larger than this server takes. Nothing of it was kept; send less."),
    "body.too-slow": _("What was sent did not arrive within 20 seconds. Nothing of it was kept; try again."),
    "body.uploads": _("Two files are being sent here already. Nothing of yours was kept; try again in a minute."),
    "invalid": _("Something that was entered does not fit. Nothing was changed; correct it and try again."),
    "conflict": _("Somebody else was quicker, or it is done already. Nothing was changed; look again."),
    "unavailable": _("This does not work at the moment. Nothing was changed; try again."),
    "denied": _("You may see this, but not do this with it. Ask somebody who administers your organisation."),
    "enrolment.code": _("This code is wrong, used or older than 15 minutes. Make a new one in the console."),
    "enrolment.without-code": _(
        "Nothing was kept: this server takes no gateway without a code, or it does not know this plant. "
        "Make a code in the console."
    ),
    "enrolment.root": _(
        "Nothing was kept: the fingerprint typed at the gateway is not that of this server's root. "
        "Compare it with the console once more."
    ),
    "enrolment.full": _(
        "Nothing was kept: too many gateways came without a code. Admit or refuse those that wait, "
        "try again in an hour, or use a code."
    ),
    "signer.relays-run": _(
        "Nothing was changed: relays learn the signer of tickets when they start. Stop the server first."
    ),
    "enrolment.request": _("The gateway's request cannot be read. Check that its version fits this server."),
    "token.invalid": _("You are not signed in, or not any more. Sign in again."),
    "token.clock": _(
        "Nothing was done: the clock of this computer is more than two minutes off. Set its time and its time zone, "
        "then try again."
    ),
    "token.used": _("This request was sent before and counts once. Nothing was changed by the second; try again."),
    "report.session-open": _("This session has not ended: its report is not complete yet. Come back afterwards."),
    "report.changed": _(
        "Nothing was kept: the report is not the one that you saw, because somebody changed it meanwhile. Read it "
        "again."
    ),
    "report.signed": _("Your side has signed this very text already. Nothing was changed."),
    "report.no-side": _(
        "Nothing was changed: remarks and signatures are of whoever worked, and of the plant's people who approve."
    ),
    "evidence.session-open": _("This session has not ended: what proves it is not complete yet. Take it afterwards."),
    "access.person-locked": _(
        "Whoever asked is locked or no member any more. Nothing was approved; refuse the request, or unlock them first."
    ),
    "access.rule-gone": _(
        "Nothing was approved: no rule admits this any more, so a yes would open nothing. Refuse the request, or let a "
        "rule admit it again."
    ),
    "access.machine-closed": _(
        "Nothing was approved: a yes would open nothing, because the machine's gateway is not admitted or the machine "
        "has no services. Mend that first, or refuse the request."
    ),
    "access.person-without-factor": _(
        "Nothing was approved: whoever asked has no second factor, so a yes would open nothing. They set one up in "
        "their account; then approve."
    ),
    "access.request.not-recorded": _(
        "Nothing was approved: the rule asks for a recording, and this machine is not recorded. Switch its recording "
        "on first, or refuse the request."
    ),
    "audit.extract.too-many": _(
        "Nothing was taken out: more than %(most)s events fit. Narrow the search, by days for instance, or export the "
        "whole register."
    ),
    "audit.report.too-many": _("Nothing was made: this list has more than %(most)s lines. Choose a shorter time."),
    "identity.search.empty": _("Nothing was saved: there is nothing in this search, or it is too long."),
    "identity.search.too-many": _(
        "Nothing was saved: one person has at most 50 saved searches, an organisation 200 shared ones. Remove one "
        "first."
    ),
    "identity.erase.accesses": _(
        "Nothing was erased: this person administered, and when they signed in is kept for six months at least."
    ),
    "audit.extract.nothing": _("Nothing was taken out: no event fits this search."),
    "audit.extract.format": _("Nothing was taken out: there is no such format."),
    "audit.extract.parquet": _(
        "Nothing was taken out: Parquet needs the library pyarrow, which this server does not have. Take another "
        "format, or have it installed."
    ),
    "access.ticket": _(
        "The ticket of your request does not cover this work, or its system has not answered yet. Your request says "
        "which; the owner of the machine can tell you more."
    ),
    "access.request.ticket": _(
        "Nothing was approved: the system that keeps the ticket says that it does not cover this work, or has not "
        "answered yet. The request says what is missing; mend it there, wait a minute, and approve then."
    ),
    "access.request.ticket-number": _(
        "Nothing was asked: the rule wants a ticket, and no ticket system of this plant has numbers like this one."
    ),
    "access.not-recorded": _("This machine is not recorded, and your permission asks for it. Ask its owner."),
    "access.no-approval": _("Whoever approved this may not approve any more. Request access again."),
    "access.locked": _(
        "Nothing was approved: somebody has locked what this needs, so a yes would open nothing. The page Locks says "
        "who, and why."
    ),
    "access.lock.already": _("Nothing was changed: this is locked already."),
    "access.lock.lifted": _("Nothing was changed: this lock was lifted already."),
    "access.locked-person": _("You are locked out here at the moment. Ask the owner of the machine."),
    "access.locked-supplier": _("Your company is locked out here at the moment. Ask the owner of the machine."),
    "access.locked-machine": _("This machine is locked at the moment. Ask its owner."),
    "access.locked-line": _("This machine is locked at the moment. Ask its owner."),
    "access.locked-zone": _("This machine is locked at the moment. Ask its owner."),
    "access.locked-plant": _("This machine is locked at the moment. Ask its owner."),
    "access.locked-gateway": _("This machine is locked at the moment. Ask its owner."),
    "access.locked-everything": _("Everything is locked at the moment. Ask the owner of the machine."),
    "access.windows.outside": _(
        "Nothing was changed: the rule is not open then; it opens next at %(opens)s (%(zone)s)."
    ),
    "access.windows.zone": _(
        "Nothing was changed: plant %(plant)s stands in a time zone that does not exist any more (%(zone)s), so nobody "
        "could say when these windows are open. Give the plant another time zone first."
    ),
    "access.nobody-answers": _("Whoever answers for this agent is locked or has left: nothing is open to it."),
    "access.outside-windows": _("Your permission is not open at this hour. Its windows are those of the rule."),
    "access.time-zone-unknown": _(
        "Your permission is not open: nobody can say what time it is at this plant. Tell the owner of the machine."
    ),
    "access.profile.changed": _(
        "Nothing was approved: what may be done was changed since you looked. Read it again, then decide."
    ),
    "access.profile.opaque": _(
        "Nothing was changed: of these services only metadata can be seen, so no profile can decide about their "
        "operations: %(services)s. Leave such services out of the rule (only_decoded), or take no profile."
    ),
    "access.rule.no-service-left": _(
        "No service of %(machine)s has one of these names or protocols. Check how they are written."
    ),
    "access.profile.nothing-decoded": _(
        "Nothing was changed: no service of %(machine)s can be decoded, so the rule would open nothing."
    ),
    "gateway.cannot-hold": _(
        "The gateway %(gateway)s is too old to hold an operation until somebody said yes, and the function profile "
        "wants that. Ask the owner to update the gateway."
    ),
    "gateway.cannot-keep": _(
        "The gateway %(gateway)s is too old to keep what programs contain, and owner and supplier agreed that "
        "recordings keep it. Ask the owner to update the gateway, or to withdraw the agreement."
    ),
    "held.over": _("This was answered already, or its time is over. Nothing was changed."),
    "directory-end.over": _("This was answered already, or its time is over. Nothing was changed."),
    "directory-end.more": _(
        "More sessions came to it meanwhile. Nothing was changed: look at all of them, then answer."
    ),
    "directory-end.own": _("Nobody keeps their own session. Somebody else who administers has to answer no."),
    "held.own": _("Nobody answers for what they do themselves. Somebody else who may approve has to."),
    "gateway.cannot-inspect": _(
        "The gateway %(gateway)s cannot inspect %(protocols)s, and this permission has a function profile. Ask the "
        "owner to update the gateway."
    ),
    "token.code": _("This sign-in is used up or older than a minute. Start it again."),
    "recording.store": _("Recordings cannot be reached at the moment. Try again later."),
    "recording.chunk": _("A part of this recording is not there any more."),
    "recording.none": _("Nothing of this session is recorded here."),
    "recording.recipients": _("Too many recipients: at most 16."),
    "recording.forked": _("Another part of this recording has the same number already; that one was kept."),
    "recording.gap": _("This part of the recording does not follow what is here."),
    "access.company-device": _(
        "The rule wants a computer that the owner knows. portineria device shows its key: ask the owner to enrol it."
    ),
    "access.device-revoked": _("The owner no longer trusts this computer. Ask the owner."),
    "access.device.known": _("Nothing was changed: this key was enrolled before. Make another one on that computer."),
    "access.second-factor-old": _(
        "The rule wants your second factor proved a short time before you begin. Sign in again with portineria login "
        "--fresh, then run the command again."
    ),
    "access.reasons.asked": _("Nothing was changed: rules ask for one of this list. Change those rules first."),
    "access.training": _(
        "The rule asks for a training that you have not confirmed, or whose time is over. Read and confirm it: under "
        "My work, on the machine's page, or with portineria connect."
    ),
    "access.training.incomplete": _(
        "Nothing was published: a training is a text of up to 4000 characters or an https address, in one language "
        "at least."
    ),
    "access.training.changed": _("Another version of the training was published meanwhile. Please read that one."),
    "access.training.named": _("Nothing was published: there is a training of this name already."),
    "access.training.asked": _("Nothing was changed: a rule asks for this training. Change that rule first."),
    "access.notice": _(
        "Read the owner's notice first and acknowledge it: on the machine's page, or with portineria connect."
    ),
    "privacy.notice.incomplete": _(
        "Nothing was published: a notice has four answers of up to 1200 characters in each of the three languages."
    ),
    "privacy.notice.changed": _("Another version of the notice was published meanwhile. Please read that one."),
    "access.no-rule": _("No rule lets you ask for this machine. Ask its owner."),
    "access.no-emergency-role": _("You hold no emergency role at this plant. Request access, or call its owner."),
    "access.emergency.held": _("Nothing was changed: this person holds the emergency role there already."),
    "access.emergency.of-supplier": _(
        "Nothing was changed: this person is of a supplier, %(supplier)s. Name them as a guest if they are to hold it "
        "all the same."
    ),
    "access.emergency.open": _("You have opened this machine already: %(request)s. Connect to it."),
    "access.emergency.locked": _(
        "Nothing was opened: it is locked, and a lock comes before an emergency. Whoever locked it wrote: %(reasons)s. "
        "An administrator of the plant lifts it."
    ),
    "access.emergency.signed": _("This emergency is signed already. Nothing was changed."),
    "gateway.no-emergencies": _(
        "Nothing was changed: this gateway never said that it knows of emergencies. Update it, and let it connect once."
    ),
    "access.maintenance": _(
        "Your permission opens only while the machine is in maintenance. Ask the people at the plant to put it there."
    ),
    "access.not-watched": _("The rule wants somebody to watch, and they do not look on. Ask them to open the request."),
    "access.waits-for-watcher": _(
        "Waiting for %(name)s to watch: nothing begins before they have the page of %(request)s open in the console, "
        "and keep it open. Ask them, then try again."
    ),
    "access.presence": _(
        "A consent signal of the plant does not say yes now. Ask somebody at the machine to set it: its lock-out, "
        "guard, key switch or button."
    ),
    "access.presence-settable": _(
        "A consent signal that your permission rests on could be set by the work itself, so it counts for nothing. Ask "
        "the owner of the machine to change the rule."
    ),
    "access.rule.no-signal": _(
        "Nothing was kept: %(machine)s has no consent signal of the kind %(kind)s. Add one first."
    ),
    "access.rule.signal-settable": _(
        "Nothing was kept: %(signal)s of %(machine)s is no consent here, because whoever works under this rule could "
        "set it (%(why)s). Choose a narrower profile, or read the signal from another device."
    ),
    "access.signal.many": _("Nothing was added: this gateway reads 128 consent signals already."),
    "access.signal.removed": _("Nothing was changed: this consent signal is removed already."),
    "access.maintenance.already": _("Nothing was changed: this is in maintenance already."),
    "access.maintenance.over": _("Nothing was changed: this maintenance is over already."),
    "access.no-grant": _("You have no permission for this machine now. Request access first."),
    "access.denied": _("You have no permission for this machine now. Request access first."),
    "access.person-disabled": _("Your account is locked. Ask whoever administers your organisation."),
    "access.change-waits": _("The rule is being changed, and nothing new begins meanwhile. Try again in some minutes."),
    "session.second-yes": _(
        "Nothing was changed: it would end %(count)s open sessions. Look at them, and say yes to exactly these. "
        "For five minutes nothing new begins under their rules."
    ),
    "access.no-group": _("You are not in the group that this rule names. Ask whoever administers the organisation."),
    "access.no-membership": _("You no longer belong to this organisation. Ask whoever administers it."),
    "access.supplier-disabled": _("Your company is locked at this plant. Ask the owner of the machine."),
    "access.other-machine": _("Your permission is for another machine. Request access to this one."),
    "access.expired": _("Your permission is over. Request access again."),
    "access.not-yet": _("Your permission has not begun yet."),
    "access.revoked": _("Your permission was taken back. Ask the owner of the machine."),
    "access.revoked-for-security": _("Your permission was taken back. Ask the owner of the machine."),
    "access.gateway-not-admitted": _("The gateway in front of this machine is not admitted."),
    "access.nothing-to-reach": _("Nothing of this machine is set up to be reached yet."),
    "access.second-factor": _("Set up a second factor first."),
    "access.machine.ambiguous": _("Several machines have this name. Use the id instead."),
    "access.request.already-decided": _("This request is decided already."),
    "access.request.more-approvals": _("Nothing was approved: this needs the yes of more people than one."),
    "access.request.own": _("Whoever asks does not decide. Somebody else has to."),
    "access.grant.ended": _("This permission is over already."),
    "access.grant.longest": _(
        "Nothing was changed: this permission would become longer than its rule allows. Ask for a new one."
    ),
    "access.extension.waits": _("Nothing was asked twice: more time for this work is asked for already."),
    "access.extension.too-many": _("More time for this work was asked for ten times. Call the owner of the machine."),
    "access.request.waits": _(
        "Nothing was asked twice: your request %(request)s for this machine and this time waits for a decision already."
    ),
    "access.request-waits": _(
        "You have no permission for this machine now: your request %(request)s waits for its owner's decision."
    ),
    "access.request.too-many": _(
        "Nothing was asked: too many of your requests wait for an answer. Withdraw one, or wait until one is decided."
    ),
    "session.ended": _("This session is over or ending."),
    "session.too-many": _("Too many sessions on this permission. End one first."),
    "session.key-used": _("Every session needs a key of its own. Update the connector."),
    "gateway.away": _("The plant's gateway is not connected now. Nothing was changed; try again, or call the plant."),
    "database.busy": _("The server is busy. Nothing was changed; try again in a moment."),
    "database.full": _("The server's disk is full. Nothing was changed; whoever runs the server has to make room."),
    "estate.gateway.state": _("The gateway is in another state now. Look again."),
    "estate.certificate.too-old": _("The gateway was away for too long. Enrol it again."),
    "identity.last-administrator": _("Somebody has to remain who administers the organisation."),
    "sinks.provider-tickets": _("Nothing was added: whose tickets cover work here its owner decides."),
    "identity.analyst.asked-already": _("Nothing was asked twice: a question about this pseudonym waits already."),
    "identity.analyst.nobody": _("Nobody who is known here is behind this pseudonym any more."),
    "identity.analyst.own-question": _("Whoever asked does not answer: somebody else of the other organisation does."),
    "identity.person.elsewhere": _(
        "Nothing was changed: this person belongs to other organisations too. Only the operator of the server can do "
        "this for all of them."
    ),
    "identity.person.has-password": _(
        "Nothing was changed: this person has set a password already. Whoever lost it is invited again."
    ),
    "identity.person.self": _(
        "Nothing was changed: nobody invites themselves again. Another administrator can, or the operator of the "
        "server."
    ),
    "identity.person.service": _("Nothing was changed: this is a service account, which never signs in."),
    "identity.service-account.too-many": _("Nothing was added: an organisation has at most 50 service accounts."),
    "identity.service-account.locked": _("Nothing was made: this service account is locked. Unlock it first."),
    "identity.api-token.too-many": _(
        "Nothing was made: this service account has 10 tokens already. End one that is used no more."
    ),
    "api.scope": _(
        "Nothing was done: this token or connector may not do this. Another token may, or somebody signed in."
    ),
    "api.prove-again": _(
        "Nothing was done: give your password or second factor once more in the console first: "
        "/accounts/reauthenticate/."
    ),
    "api.forged": _("Nothing was done: a browser has to send its token against forgery. Load the page again."),
    "api.too-many": _("Nothing was done: too many requests of this account. Try again in %(seconds)s seconds."),
    "api.method": _("Nothing was done: this address takes other methods."),
    "api.key-of-another": _("Nothing was done: this idempotency key came with another request before. Take a new one."),
    "api.key-in-use": _("Nothing was done: a request with this idempotency key is just being answered. Try again."),
    "identity.person.locked": _("Nothing was changed: this person is locked. Unlock first, then invite again."),
    "identity.person.nobody": _("Nobody who is entered here and not locked has this e-mail address."),
    "identity.provider.too-many": _("Nothing was added: that is more than the server keeps of them. Remove one first."),
    "identity.provider.not-reached": _("Nothing was added: the provider was not reached as one. It said: %(why)s"),
    "identity.provider.no-saml": _(
        "Nothing was changed: this server speaks no SAML yet. Whoever runs it installs portineria[saml]."
    ),
    "identity.provider.many-tenants": _(
        "Nothing was added: this address is for several directories, and anybody's. Use the one with the id of your "
        "directory."
    ),
    "identity.domain.taken": _("Nothing was added: this domain leads to a provider already."),
    "identity.account.only-way-in": _(
        "Nothing was changed: you have no password, so you could not sign in any more. Ask to be invited first."
    ),
    "identity.offer.vouched": _(
        "Nothing was changed: your account is connected with an identity provider of another organisation, which would "
        "speak for you here as well. Disconnect it first, or have this organisation invite another address of yours."
    ),
    "identity.master-key": _("The server cannot open its own keys. Nothing was changed; tell whoever runs the server."),
    "identity.no-installation": _("The set-up of this server is not finished."),
    "name.taken": _("There is one with this name already."),
    "audit.export.first": _("The register has no event with this number. Nothing was exported."),
    "audit.not-sealed": _("This event is not sealed yet. That takes a few seconds; try again."),
    "audit.chain.broken": _(
        "Nothing was handed out: the register does not fit what was signed, and is not signed as it is. Tell whoever "
        "runs the server; they find the event with portineria ledger verify."
    ),
    "audit.register.shrunk": _(
        "Nothing was handed out: the register has fewer events than were signed. Tell whoever runs the server."
    ),
    "access.job.full": _("There is no more room here: at most 200 entries and 10 MiB of files for one job."),
    "access.request.narrowed-otherwise": _(
        "Somebody else approved it with another narrower profile. Choose the same one, or none."
    ),
    "access.substitution.over": _("This substitution is over already."),
    "access.substitution.too-many": _("You have ten substitutes. End one first."),
    "access.substitution.not-yours": _("Only the two people concerned and administrators may end it."),
    "notification.webhook.host": _(
        "Notifications may only go to receivers that the operator of this server has named. Nothing was changed."
    ),
    "sinks.setting": _("A setting of this sink does not fit, or its key is that of another certificate."),
    "sinks.filter": _("No event is called so: nothing would ever be sent."),
    "sinks.too-many": _("An organisation has at most 32 sinks. Nothing was added; remove one first."),
    "sinks.secrets-again": _(
        "Nothing was changed: the receiver would be another one, or proven otherwise. Give its secrets anew, so that "
        "the kept ones go nowhere unseen."
    ),
    "sinks.folder": _(
        "Nothing was changed: whoever runs this server has set no folder for files of sinks, or it is not there."
    ),
    "sinks.extra": _(
        "Nothing was changed: this kind of sink needs a library that this server does not have. Whoever runs it "
        "installs portineria[%(extra)s]."
    ),
    "sinks.kind": _("This version of the server does not know this kind of sink."),
    "sinks.not-taken": _("The test event did not arrive: %(why)s"),
    "event.name.none": _("Nothing that you may see is called so."),
    "event.name.many": _("More than 50 are called so. Write more of the name."),
    "export.too-long": _(
        "No verdict: the file is too long to be checked here. On any computer portineria ledger verify checks it."
    ),
    "export.busy": _("Another file is being checked just now. Try again in half a minute."),
    "recording.held": _("These recordings are kept beyond their time already."),
    "recording.not-held": _("These recordings are not kept beyond their time."),
    "playback.asked": _("You have asked for this already; it waits for an answer."),
    "playback.over": _("This was decided already, or its time is over. Nothing was changed."),
    "playback.own": _("Nobody decides on their own request, nor about what was recorded of themselves."),
    "playback.nothing": _("Nothing of this session is recorded here any more."),
    "identity.group.too-many": _("An organisation has at most 500 groups. Nothing was changed; close one first."),
    "identity.group.in-already": _("This person is in the group already. Nothing was changed."),
}
