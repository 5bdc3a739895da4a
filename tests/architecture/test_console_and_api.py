# SPDX-License-Identifier: Apache-2.0
"""Whatever the console does, the REST API does too, or it is written here why not.

Every named address of the console has a line. What changes something has an operation that changes something; a page
that only shows has one that reads, where there is one.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable

from django.urls import URLPattern

from portineria.control.console import urls
from portineria.control.rest.api import PREFIX
from tests.integration.control.described import described

SIGN_IN = "a person and their browser: signing in, stepping inside, a key that never leaves it"
ONE_CONSENTS = "whoever says it has read it on a page; for a connector `/api/v1` shows it first"
A_FILE = "a file for people, made of what GET /events and the lists say; programs take these"
SHOWS = "shows or previews what other operations read"

CONSOLE_ONLY = {
    "customer-enter": SIGN_IN, "customer-leave": SIGN_IN, "provider-try": SIGN_IN, "provider-connect": SIGN_IN,
    "playback": SIGN_IN, "playback-chunk": SIGN_IN,
    "language": "a cookie before sign-in; afterwards it is POST /me",
    "notice": ONE_CONSENTS,
    "session-evidence": "GET /api/v1/sessions/{session}/evidence, a zip",
    "register-check": "checks a file, here or by `portineria ledger verify`; nothing of the server is asked",
    "register-export": A_FILE, "events-extract": A_FILE, "sessions-export": A_FILE, "report-pdf": A_FILE,
    "list-accesses-take": A_FILE, "list-reachable-take": A_FILE,
    "home": SHOWS, "work": SHOWS, "live": SHOWS, "rule-sentence": SHOWS, "event-names": SHOWS, "lists": SHOWS,
    "list-accesses": SHOWS, "list-reachable": SHOWS, "notification-bell": SHOWS,
}  # fmt: skip

# Name of an address → the operation that does the same; of several, the one that does the most.
BY_API = {
    "plants": "GET /plants", "plant": "GET /plants/{plant}",
    "machines": "GET /machines", "plant-add": "POST /plants", "gateways-waiting": "GET /gateways",
    "machine-add": "POST /machines", "machine-answering": "POST /machines/{machine}/answering",
    "service-add": "POST /machines/{machine}/services", "service-remove": "POST /services/{service}/remove",
    "machine": "GET /machines/{machine}", "ask": "POST /jobs", "machine-lock": "POST /locks",
    "maintenance-begin": "POST /maintenance", "maintenance-end": "POST /maintenance/{maintenance}/end",
    "signal-add": "POST /signals", "signal-remove": "POST /signals/{signal}/remove",
    "machine-labels": "POST /machines/{machine}/labels", "break-glass": "POST /machines/{machine}/emergency",
    "emergencies": "GET /emergencies", "emergency-give": "POST /emergency-roles",
    "emergency-take": "POST /emergency-roles/{role}/take", "emergency-longest": "POST /emergency-longest",
    "emergency-sign": "POST /emergencies/{review}/sign", "locks": "GET /locks", "lock-add": "POST /locks",
    "lock-everything": "POST /lock-everything", "lock-lift": "POST /locks/{lock}/lift",
    "machine-who": "GET /machines/{machine}/who", "rules": "GET /rules", "rule-add": "POST /rules",
    "rule-simulate": "GET /simulation", "rule": "GET /rules/{rule}", "rule-change": "POST /rules/{rule}/change",
    "rule-end": "POST /rules/{rule}/end", "person-reach": "GET /people/{organisation}/{person}/reach",
    "requests": "GET /requests", "request": "GET /requests/{request_id}",
    "request-approve": "POST /requests/{request_id}/approve",
    "request-approve-all": "POST /requests/{request_id}/approve-all",
    "job-write": "POST /requests/{request_id}/job", "job-file": "POST /requests/{request_id}/files/{entry}",
    "request-refuse": "POST /requests/{request_id}/refuse",
    "request-hand-over": "POST /requests/{request_id}/hand-over",
    "request-withdraw": "POST /requests/{request_id}/cancel",
    "approvals": "GET /requests", "hours": "POST /me/hours", "substitutes": "POST /substitutions",
    "substitute-end": "POST /substitutions/{substitution}/end", "grant-extend": "POST /grants/{grant}/extend",
    "extension-ask": "POST /grants/{grant}/extensions", "extension-approve": "POST /extensions/{extension}/approve",
    "extension-refuse": "POST /extensions/{extension}/refuse",
    "extension-withdraw": "POST /extensions/{extension}/withdraw",
    "grant-revoke": "POST /grants/{grant}/revoke", "held-answer": "POST /held/{held}/answer",
    "sessions": "GET /sessions", "session": "GET /sessions/{session}", "report": "POST /sessions/{session}/report",
    "report-sign": "POST /sessions/{session}/report/sign", "cut": "POST /sessions/{session}/cut",
    "freeze": "POST /sessions/{session}/freeze", "thaw": "POST /sessions/{session}/thaw",
    "lock-person": "POST /exclusions", "unlock-person": "POST /locks/{lock}/lift",
    "lock-supplier": "POST /exclusions", "unlock-supplier": "POST /locks/{lock}/lift",
    "end": "POST /sessions/{session}/end", "gateways": "GET /gateways",
    "gateway-add": "POST /plants/{plant}/enrolment-codes", "gateway": "POST /gateways/{gateway}/admit",
    "gateway-lock": "POST /locks", "gateway-emergency": "POST /gateways/{gateway}/emergency",
    "gateway-refuse": "POST /gateways/{gateway}/refuse", "gateway-revoke": "POST /gateways/{gateway}/revoke",
    "people": "GET /people", "unused": "GET /unused-memberships", "unused-days": "POST /unused-days",
    "person-stay": "POST /people/{organisation}/{person}/prolong",
    "person-reopen": "POST /people/{organisation}/{closed}/reopen", "person-add": "POST /people",
    "person-lock": "POST /people/{organisation}/{person}/lock",
    "person-unlock": "POST /people/{organisation}/{person}/unlock",
    "person-invite": "POST /people/{organisation}/{person}/invite", "groups": "POST /groups",
    "group": "GET /groups/{group}", "group-close": "POST /groups/{group}/close",
    "group-add": "POST /groups/{group}/people/put-in", "group-remove": "POST /groups/{group}/people/take-out",
    "group-follow": "POST /groups/{group}/sources", "group-unfollow": "POST /groups/{group}/sources/{number}/remove",
    "providers": "GET /identity-providers", "provider-add": "POST /openid-providers",
    "provider": "GET /identity-providers/{provider}", "provider-refresh": "POST /identity-providers/{provider}/refresh",
    "provider-secret": "POST /identity-providers/{provider}/secret",
    "provider-factor": "POST /identity-providers/{provider}/factor",
    "delegation-decline": "POST /customers/{delegation}/decline",
    "provider-switch": "POST /identity-providers/{provider}/disable",
    "provider-withdraw": "POST /identity-providers/{provider}/withdraw",
    "group-map": "POST /identity-providers/{provider}/groups",
    "group-unmap": "POST /identity-providers/{provider}/groups/{number}/remove",
    "domain-claim": "POST /identity-providers/{provider}/domains",
    "domain-release": "POST /identity-providers/{provider}/domains/{domain}/release",
    "customers": "GET /customers", "delegations": "GET /delegations", "delegation-add": "POST /delegations",
    "name-answer": "POST /name-questions/{question}/answer", "delegation": "GET /delegations/{delegation}",
    "delegation-change": "POST /delegations", "delegation-withdraw": "POST /delegations/{delegation}/withdraw",
    "incident": "POST /customers/{delegation}/incident", "name-ask": "POST /name-questions",
    "template": "POST /templates/{organisation}", "template-compare": "POST /templates/{organisation}/compare",
    "template-apply": "POST /templates/{organisation}/apply", "supplier-lock": "POST /suppliers/{supplier}/lock",
    "supplier": "GET /suppliers/{supplier}/standings", "supplier-assess": "POST /suppliers/{supplier}/standing",
    "supplier-unlock": "POST /suppliers/{supplier}/unlock", "service-accounts": "GET /service-accounts",
    "service-account-add": "POST /service-accounts", "service-account": "GET /service-accounts/{account}/tokens",
    "service-token-add": "POST /service-accounts/{account}/tokens",
    "service-end": "POST /service-accounts/{account}/tokens/{token}/end", "events": "GET /events",
    "search-add": "POST /saved-searches", "search": "GET /saved-searches",
    "search-remove": "POST /saved-searches/{search}/remove", "event": "GET /events/{organisation}/{seq}",
    "event-proof": "POST /events/{organisation}/{seq}/proof", "sinks": "GET /sinks", "sink-add": "POST /sinks",
    "sink": "GET /sinks/{sink}", "sink-change": "POST /sinks/{sink}/change", "sink-test": "POST /sinks/{sink}/test",
    "sink-pause": "POST /sinks/{sink}/pause", "sink-again": "POST /sinks/{sink}/again",
    "sink-replay": "POST /sinks/{sink}/replay", "sink-remove": "POST /sinks/{sink}/remove",
    "notifications": "GET /notifications", "notifications-read": "POST /notifications/read",
    "notification-choices": "POST /notification-choices", "notification-webhook": "POST /notification-webhook",
    "notification": "POST /notifications/{notification}/read", "contents": "GET /program-contents",
    "contents-agree": "POST /program-contents/{supplier}", "devices": "GET /company-devices",
    "device-add": "POST /company-devices", "device-revoke": "POST /company-devices/{company_device}/revoke",
    "reasons": "POST /reasons", "trainings": "GET /trainings", "training-add": "POST /trainings",
    "training": "GET /trainings/{training}", "training-edit": "POST /trainings/{training}/versions",
    "training-end": "POST /trainings/{training}/end", "privacy": "GET /privacy",
    "notice-edit": "POST /privacy/{organisation}/notice", "privacy-terms": "POST /privacy/{organisation}/terms",
    "privacy-duties": "POST /privacy/{organisation}/duties", "playback-ask": "POST /sessions/{session}/playback",
    "recording-hold": "POST /sessions/{session}/hold", "playback-decide": "POST /playbacks/{playback}/decide",
    "account": "POST /me", "provider-disconnect": "POST /me/providers/{provider}/disconnect",
    "offer-accept": "POST /me/offers/{organisation}/accept",
    "offer-decline": "POST /me/offers/{organisation}/decline",
    "connector-sign-out": "POST /me/connectors/{token}/sign-out",
    "directory-ends": "GET /directory-ends", "directory-end-answer": "POST /directory-ends/{directory_end}/answer",
}  # fmt: skip
# Pages that take a POST, or could, and whose operation only reads.
READ_HERE = {"training": ONE_CONSENTS}

ADDRESSES = {pattern.name or "": pattern for pattern in urls.urlpatterns}


def acts(pattern: URLPattern) -> bool:
    """Whether its view takes a POST: it asks for one, or looks into one, itself or by another function beside it."""
    view = inspect.unwrap(pattern.callback)
    beside = {name: one for name, one in vars(inspect.getmodule(view)).items() if inspect.isfunction(one)}
    names = words(view)
    for name in names & beside.keys():
        names |= words(inspect.unwrap(beside[name]))
    return bool(names & {"POST", "require_POST"})


def words(function: Callable[..., object]) -> set[str]:
    """Every name in it."""
    nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    return plain | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_every_address_of_the_console_has_its_operation_or_its_reason() -> None:
    assert not BY_API.keys() & CONSOLE_ONLY.keys()
    assert BY_API.keys() | CONSOLE_ONLY.keys() == set(ADDRESSES)
    paths = described()["paths"]
    operations = {f"{method.upper()} /{path.removeprefix(PREFIX)}" for path, item in paths.items() for method in item}
    assert sorted({one for one in BY_API.values() if one not in operations}) == []


def test_what_acts_there_acts_here() -> None:
    acting = {name for name, pattern in ADDRESSES.items() if acts(pattern)}
    assert len(acting) >= 80
    reading = {name for name in acting & BY_API.keys() if BY_API[name].startswith("GET ")}
    assert reading == READ_HERE.keys()
