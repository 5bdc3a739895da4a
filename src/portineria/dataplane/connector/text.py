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
    "hold.expired": "The line stayed interrupted for too long: the device's connection is lost.",
    "protocol": "The other end sent what it must not: the connection was closed.",
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
    "characters percent-encoded: https_proxy=http://name:password@proxy:port, or portineria login --proxy.",
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
    "drain.begun": "The permission ends ({reason}): finish your work, {left} left.",
    "drain.left": "{left} left.",
    "drain.lifted": "The permission goes on: what runs has its time again, and new connections may start.",
    "permission.ends": "The permission ends at {at}.",
    "permission.extended": "The permission was extended until {at}.",
    "session.over": "The session has ended: {why}.",
    "control.away": "The server cannot be reached; open work goes on, new connections for {minutes} more minutes.",
    "control.back": "The server is back.",
    "stranger.refused": "A connection of another person on this computer was refused.",
    "local.full": "Too many connections to this computer's side are open; one was refused.",
}

ERRORS = {
    "server.none": "You are not signed in. Sign in first: portineria login https://your-server",
    "login.none": "You are not signed in. Sign in first: portineria login https://your-server",
    "login.denied": "The sign-in was refused in the browser.",
    "login.time": "Nobody confirmed the sign-in within five minutes. Run the command again.",
    "token.invalid": "Your sign-in has ended. Sign in again: portineria login",
    "token.code": "The server did not accept the sign-in. Run the command again.",
    "token.clock": "This computer's clock is wrong, and correcting for it did not help.",
    "server.away": "The server cannot be reached: {why}.",
    "server.answer": "The server's answer makes no sense: {why}.",
    "server.other-root": "This server is not the one you signed in to before: {why}. Ask its operators. If they "
    "confirm the change: portineria logout --forget, then sign in again.",
    "server.mismatch": "The server's answer does not fit what was pinned when you signed in: {why}.",
    "local.port": "No local port could be opened: {why}.",
    "not-found": "There is no such machine, request or session for you.",
}

TEXTS = {**NEWS, **ENDS, **LEGS, **REFUSALS, **ERRORS}


def text_of(code: str, **values: object) -> str | None:
    """The line for ``code``; None when we have none, or when a value that it needs is missing."""
    text = TEXTS.get(code)
    if text is None or not {name for _, name, _, _ in Formatter().parse(text) if name} <= values.keys():
        return None
    return text.format_map(values)


def end_text(code: str) -> str:
    return ENDS.get(code, f"It ended: {code}.")


def duration(seconds: float) -> str:
    """For people: 95 → "1 min 35 s"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
