# SPDX-License-Identifier: Apache-2.0
"""What the technician reads for each code: what happened, and what to do. One line each."""

from string import Formatter

_ASK = "Ask the owner"
_AGAIN = "try again in a moment"

REFUSALS = {
    "order.unknown": f"The gateway does not know this session (any more); {_AGAIN}, or run the command again.",
    "order.stale": f"The permission was changed just now; {_AGAIN}.",
    "order.expired": "The permission has ended. Ask for a new one: portineria request.",
    "order.not-yet": "The permission has not begun yet.",
    "order.draining": "The permission is ending: what runs may finish, nothing new starts.",
    "lease.missing": f"The gateway has not heard from the server lately, so nothing new starts; {_AGAIN}.",
    "service.not-granted": "This service is not part of the permission.",
    "reach.refused": f"The gateway's own list in the plant does not allow this device. {_ASK}.",
    "address.refused": f"The gateway never connects to such an address. {_ASK} to correct the device's address.",
    "device.refused": "The device answers, but refuses the connection: the service may be off or at another port.",
    "device.unreachable": "The gateway finds no way to the device: it may be off or its address wrong.",
    "device.silent": "The device does not answer: it may be off, or a firewall in the plant drops the connection.",
    "streams.full": "Too many connections are open in this session; close some of them.",
    "spool.full": f"The gateway cannot record any more, so it opens nothing new. {_ASK}.",
    "recording.unavailable": f"This session must be recorded, and the gateway cannot at the moment. {_ASK}.",
    "time.unknown": f"The gateway does not know the time yet; {_AGAIN}.",
}

ENDS = {
    "cut": "The session was cut.",
    "relay.closed": "The relay has closed this session. Whether it was cut, only the plant's gateway can confirm: see "
    "portineria sessions.",
    "unproven": "The session has ended; the plant's gateway has not confirmed how.",
    "refused": "The plant's gateway did not accept the session.",
    "finished": "The session has ended.",
    "expired": "The permission has ended, and so has the time to finish.",
    "silence": "The gateway has not heard from the server for too long and closed the connection.",
    "drained": "The time to finish is over: the connection was closed.",
    "device.reset": "The device closed the connection abruptly.",
    "tool.reset": "The tool closed the connection abruptly.",
    "frozen.closed": "The session stands still by order of the plant, and the tool closed its connection meanwhile: "
    "what waited was not passed on to the device.",
    "hold.expired": "The line stayed interrupted for too long: the device's connection is lost.",
    "protocol": "The other end sent what it must not: the connection was closed.",
    "protocol.undecodable": "The plant's gateway inspects this service and could not read what was said: the "
    "connection was closed. Is it the right tool, on the right port?",
    "functions.changed": "The permission was changed meanwhile: connect the tool again.",
    "truncated": "The connection ended before all data had arrived.",
}

LEGS = {
    "gateway.away": f"The plant's gateway is not connected; {_AGAIN}, or ask the owner whether it is on.",
    "gateway.silent": f"The plant's gateway does not answer; {_AGAIN}.",
    "gateway.failed": f"The plant's gateway could not reach the relay; {_AGAIN}.",
    "gateway.busy": f"Too many connections wait for this gateway; {_AGAIN}.",
    "relay.full": f"The relay is full; {_AGAIN}.",
    "session.legs": "Too many connections are open in this session; close some of them.",
    "session.ended": "The session has ended.",
    "ticket.expired": "The server has not renewed this session's tickets; run the command again when it is back.",
    "ticket.too-long": "The relay does not take the server's ticket: their clocks differ. Ask the server's operators.",
    "leg.unexpected": "The relay and this connector do not understand each other: update the older of the two.",
    "ticket.elsewhere": "The ticket is for another relay; run the command again.",
    "leg.opened": "A proxy on the way decrypts the connection, and that is not allowed here: {why}.",
    "leg.unreachable": f"No relay can be reached ({{why}}); {_AGAIN}.",
    "leg.answer": f"The gateway did not answer in time; {_AGAIN}.",
    "proxy.refused": "The proxy does not let us through: {why}. Ask those who run it whether it may reach this "
    "address.",
    "proxy.credentials": "The proxy wants a name and a password, or others than these. Correct them, with special "
    "characters percent-encoded: https_proxy=http://name:password@proxy:port, or --proxy of portineria login (on a "
    "technician's computer) or portineria gateway enrol.",
    "certificate.date": (
        "A certificate on the way is out of date ({why}): nothing was opened. Its owner must renew it; if the clock of "
        "this computer is wrong, set it."
    ),
    "wire.certificate": "The other end is not the gateway that the server named ({why}): nothing was opened.",
    "tls": "The encrypted connection could not be made: {why}.",
}

NEWS = {
    "line.interrupted": "Line interrupted; {held} kept at the device, {seconds} s left.",
    "line.restored": "Line restored, the work goes on.",
    "drain.begun": "Permission ended: {reason}; what runs may finish until {at} ({left} left).",
    "drain.unsupplied": "Nothing new starts for now: {reason}; what runs may finish until {at} ({left} left).",
    "drain.left": "{left} left.",
    "drain.lifted": "The permission goes on: what runs has its time again, and new connections may start.",
    "permission.ends": "The permission ends at {at}.",
    "permission.extended": "The permission was extended until {at}.",
    "session.over": "{line}",
    "control.away": "The server cannot be reached; open work goes on, new connections for {minutes} more minutes.",
    "control.back": "The server is back.",
    "server.waited-for": "{why} Waiting for it up to {left}; Ctrl-C stops.",
    "session.in-doubt": "A session had been asked for, and the answer did not come. If portineria sessions shows one "
    "later, portineria cut ends it. Nothing of it is open on this computer.",
    "control.untold": "The server could not be told that you are done: for it the session goes on until {at} at the "
    "latest. Nothing of it is open on this computer any more.",
    "stranger.refused": "A connection of another person on this computer was refused.",
    "local.full": "Too many connections to this computer's side are open; one was refused.",
    "session.recorded": "This session is recorded: what passes between this computer and the machine is kept.",
    "session.watched": "Somebody of the plant looks on: what is done at the machine is shown to them while you work.",
    "session.unwatched": "Nobody looks on any more.",
    "notice.head": "Before you work at {name}, please read this (version {number}):",
    "notice.line": "{text}",
    "notice.acknowledged": "Acknowledged: version {number}.",
    "training.head": "{owner} wants this read and confirmed before you work there: {name} (version {number})",
    "training.confirmed": "Confirmed: {name}, version {number}.",
}

ERRORS = {
    "server.none": "You are not signed in. Sign in first: portineria login https://your-server",
    "login.none": "You are not signed in. Sign in first: portineria login https://your-server",
    "login.denied": "The sign-in was refused in the browser.",
    "login.time": "Nobody confirmed the sign-in within five minutes. Run the command again.",
    "token.invalid": "Your sign-in has ended. Sign in again: portineria login",
    "token.code": "The server did not accept the sign-in. Run the command again.",
    "token.clock": "This computer's clock is wrong, and correcting for it did not help. Set its time and its time "
    "zone, then run the command again.",
    "server.away": "The server cannot be reached ({why}). Try again in a moment; if it stays so, ask its operators.",
    "server.refuses": "The server refuses the connection ({why}): it does not run, or this is not its address. Try "
    "again in a moment; if it stays so, ask its operators.",
    "server.silent": "The server does not answer ({why}): it is busy or off, or something on the way (a firewall, a "
    "proxy, a VPN that is down) holds the connection back. Try again in a moment; if it stays so, ask its operators.",
    "server.unknown": "There is no address for the server's name ({why}): check its spelling and this computer's "
    "network (VPN, DNS).",
    "server.no-tls": "What answers there does not speak TLS, so it is no https address ({why}): nothing was sent. "
    "Check the address and its port; http:// is for a server on this very computer only.",
    "server.certificate": "The server's certificate is not trusted ({why}): nothing was sent. If your company "
    "certifies its servers itself, sign in again with --ca FILE; if the date is the matter, check this computer's "
    "clock; else ask the server's operators.",
    "server.given-up": "{why} It was waited for in vain, and nothing was opened. To wait longer: --wait SECONDS.",
    "server.given-up-asking": "{why} It was waited for in vain after a session had been asked for; nothing is open on "
    "this computer. If portineria sessions shows one later, portineria cut ends it.",
    "server.answer": "The server's answer makes no sense: {why}.",
    "server.other-root": "This server is not the one you signed in to before: {why}. Ask its operators. If they "
    "confirm the change: portineria logout --forget, then sign in again.",
    "server.mismatch": "The server's answer does not fit what was pinned when you signed in: {why}.",
    "local.port": "No local port could be opened: {why}. Nothing was asked of the plant. Close what holds it on this "
    "computer, or choose others: --port-offset N.",
    "local.offset": "With this --port-offset {why}, and ports are 1 to 65535. Nothing was asked of the plant.",
    "state.access": "Your account on this computer may not use {why}: permission denied, nothing was changed. Make it "
    "yours again (chown, chmod u+rw), or keep sign-ins elsewhere: --state DIR.",
    "service.changed": "The machine's services were changed just now: nothing was opened. Run the command again.",
    "access.notice": "This notice has to be acknowledged first; nothing was opened. To say that you have read it, run "
    "the command again with --accept-notice.",
    "access.company-device": "The rule wants a computer that the owner knows; nothing was opened. portineria device "
    "shows this computer's key: ask the owner to enrol it.",
    "access.device-revoked": "The owner no longer trusts this computer; nothing was opened. Ask the owner.",
    "access.second-factor-old": "The rule wants your second factor proved a short time before you begin; nothing was "
    "opened. Sign in again with portineria login --fresh, then run the command again.",
    "access.supplier-standing": "The rule asks how well the owner assessed your company, and that is not enough, or "
    "over; nothing was opened. Only the owner can enter another assessment: ask whoever answers for the machine.",
    "access.training": "What stands above has to be confirmed first; nothing was opened. To say that you have read and "
    "understood it, run the command again with --confirm-trainings.",
    "not-found": "There is no such machine, request or session for you.",
}

WHYS = {
    # policy.ending.Reason
    "person-disabled": "your account was locked",
    "no-membership": "you no longer belong to the organisation",
    "membership-over": "the time that was agreed for you is over: ask whoever answers for you at the plant",
    "supplier-disabled": "your company was locked at this plant",
    "second-factor": "no second factor is set up",
    "nobody-answers": "whoever answers for this agent is locked or has left",
    "gateway-not-admitted": "the plant's gateway is not admitted any more",
    "revoked-for-security": "the permission was revoked for security",
    "no-rule": "no rule admits this any more",
    "change-waits": "the rule is being changed; try again in some minutes",
    "no-group": "you are no longer in the group that the rule names",
    "no-emergency-role": "your emergency role was taken back",
    "no-grant": "there is no permission",
    "other-machine": "the permission is for another machine",
    "revoked": "the permission was revoked",
    "not-yet": "the permission has not begun yet",
    "expired": "its time is over",
    "nothing-to-reach": "the machine has no services any more",
    "locked-person": "your account is kept from it",
    "locked-supplier": "your company is kept from it",
    "locked-machine": "the machine is locked",
    "locked-line": "the machine's line is locked",
    "locked-zone": "the machine's zone is locked",
    "locked-plant": "the plant is locked",
    "locked-gateway": "the plant's gateway is locked",
    "locked-everything": "everything is locked",
    "notice": "the owner's notice was not acknowledged",
    "company-device": "this computer is not one that the owner knows",
    "device-revoked": "the owner no longer trusts this computer",
    "second-factor-old": "the second factor was proved too long ago",
    "supplier-standing": "the owner has not assessed your company as well as the rule asks, or that is over",
    "training": "a training was not confirmed, or its time is over",
    "no-approval": "whoever approved it may not approve any more",
    "ticket": "its ticket does not cover it, or the system that keeps it has not answered yet",
    "not-recorded": "it would not be recorded, which its rule asks for",
    "outside-windows": "its rule is closed at this time",
    "between-times": "it is for certain hours of the week, and this is none of them",
    "time-zone-unknown": "nobody knows the plant's time zone",
    "presence": "a consent signal of the plant does not say yes: somebody at the machine has to set it",
    "presence-settable": "a consent signal could be set by the work itself; the owner has to change the rule",
    "not-watched": "whoever has to watch does not look on",
    "maintenance": "the plant's people have not put the machine into maintenance, or ended it",
    # of the server, about its own acts
    "cut-by-person": "somebody cut it",
    "cut-locally": "somebody at the plant cut it at the gateway",
    "gateway.cut": "somebody at the plant lets nothing begin at the gateway",
    "drained-by-person": "somebody ended it and let it finish",
    "drain-overdue": "the time to finish was over",
    "machine-changed": "what it reaches was changed: a device's address, a service or the gateway",
    "finished": "the connector said that it is done",
    "not-inspectable": "its function profile cannot be held at the gateway",
    # of the gateway, about its own acts
    "order.expired": "its time is over",
    "order.ended": "it had ended before",
    "lease.lost": "the gateway has not heard from the server lately",
    "spool.full": "the gateway cannot record any more",
    "time.unknown": "the gateway does not know the time yet",
}
UNSUPPLIED = frozenset({"lease.lost", "spool.full"})  # the permission holds; the gateway stops by itself, for a while

STATES = {
    "opening": "opening",
    "live": "live",
    "draining": "finishing",
    "cutting": "being cut",
    # ended, by how
    "cut": "cut",
    "drained": "finished in time",
    "finished": "finished",
    "expired": "time over",
    "silence": "ended without contact",
    "refused": "refused by the gateway",
    "unproven": "ended",
}

TEXTS = {**NEWS, **ENDS, **LEGS, **REFUSALS, **ERRORS}


def text_of(code: str, **values: object) -> str | None:
    """The line for ``code``; None when we have none, or when a value that it needs is missing."""
    text = TEXTS.get(code)
    if text is None or not {name for _, name, _, _ in Formatter().parse(text) if name} <= values.keys():
        return None
    return text.format_map(values)


def end_text(code: str, why: str = "") -> str:
    """``why`` is as ``why_text`` gives it."""
    text = ENDS.get(code, f"It ended: {code}.")
    return f"{text} Reason: {why}." if why else text


def why_text(codes: str, said: str = "") -> str:
    """The words for the codes of ``end_why``, and what somebody wrote. Unknown codes are shown as they are."""
    known = [WHYS.get(code) for code in codes.split()]
    words = codes if None in known else "; ".join(word for word in known if word)
    return f"{words}: “{said}”" if words and said else words or said


def duration(seconds: float) -> str:
    """For people: 95 → "1 min 35 s"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
