# SPDX-License-Identifier: Apache-2.0
"""One stream per open page. It carries which kind of event happened, and the page asks again by itself; on the page of
a session also what that session does at this moment, for whoever may see it.

Who is at the other end, and what they may know, is asked anew before every line: a stream may live for days.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from portineria.control.audit.news import News, Subscription, subscription
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.inside import across, customers
from portineria.control.identity.models import Person
from portineria.control.identity.queries import person_of_browser
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions import glances
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.standing_by import AGAIN_S, StandBy
from portineria.control.remote_sessions.watching import Look
from portineria.core.errors import NotFound

T = TypeVar("T")
_STILL_HERE_S = 25  # proxies drop what is silent for 30 s or longer
_RETRY_MS = 1000
_PER_PERSON = 16  # a browser opens six at the most; of a seventeenth the oldest ends, which nobody may read any more
_NAME_CHARACTERS = 32
_ELSEWHERE = "event: elsewhere\ndata: inside\n\n"  # the page is not theirs any more as it was made: load it anew
_OF_POWER = {
    Power.ESTATE: ("estate.",),
    Power.WORK: ("access.request.", "access.grant.", "remote_sessions.", "session.", "operation."),
    Power.LOCK: ("access.lock.",),
}
_streams: dict[str, list[Subscription]] = {}  # touched on the event loop only


async def live(request: HttpRequest) -> HttpResponseBase:
    person: Person | AnonymousUser = await request.auser()
    if not isinstance(person, Person):
        return HttpResponse(status=204)  # tells the browser not to come back
    page = _Page(request.GET.get("session", ""), request.GET.get("request", ""))
    lines = _lines(request.session.session_key or "", person, page, request.headers.get("Last-Event-ID", ""))
    response = StreamingHttpResponse(lines, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


class _Page(NamedTuple):
    """What the page is about, by id: empty on every other."""

    session: str
    request: str


async def _lines(browser: str, person: Person, page: _Page, last: str) -> AsyncIterator[str]:
    organisations = await _asked(partial(_organisations, person))
    with subscription(organisations=organisations, person=person.public_id) as mine, _counted(person.public_id, mine):
        yield f"retry: {_RETRY_MS}\n\n"  # the page hears that it is open: from here on nothing is missed
        async with _looking(person, page, mine, last) as look:
            for text in await _asked(partial(_shown, person, look)):  # what was seen before this page was opened
                yield text
            async for news in _with_pauses(mine, _STILL_HERE_S if look is None else AGAIN_S):
                somebody = await _asked(partial(person_of_browser, browser))
                if somebody is None or somebody.pk != person.pk:
                    if somebody is not None or person.principal is not None:
                        yield _ELSEWHERE
                    return
                for text in await _asked(partial(_said, somebody, news, look)):
                    yield text


async def _asked(ask: Callable[[], T]) -> T:
    return await sync_to_async(given_back(ask))()


@asynccontextmanager
async def _looking(person: Person, page: _Page, mine: Subscription, last: str) -> AsyncIterator[Look | StandBy | None]:
    """None on every page but that of a session which this person sees, or of a request whose work they are to watch."""
    look: Look | StandBy = Look(person, page.session, mine, last[:_NAME_CHARACTERS])
    if page.request:
        look = StandBy(person, page.request)
    try:
        await _asked(look.begin)
    except NotFound:
        yield None
        return
    try:
        yield look
    finally:
        await _asked(look.end)


def _said(person: Person, news: News | None, look: Look | StandBy | None) -> list[str]:
    said = _shown(person, look)
    if news is None:
        said.append(": still here\n\n")
    elif news.code != glances.CODE and _concerns(person, news):
        said.append(_changed(news.code))
    return said


def _shown(person: Person, look: Look | StandBy | None) -> list[str]:
    """What the page of a session gets; nothing for whoever does not see the session any more."""
    if look is None:
        return []
    try:
        changed = [_changed("remote_sessions.watching")] if look.go_on(person) else []
        return changed + [f"event: glance\nid: {name}\ndata: {text}\n\n" for name, text in look.fresh(person)]
    except NotFound:
        return []


def _changed(code: str) -> str:
    return f"event: changed\ndata: {code}\n\n"


@contextmanager
def _counted(person: str, mine: Subscription) -> Iterator[None]:
    own = _streams.setdefault(person, [])
    own.append(mine)
    if len(own) > _PER_PERSON:
        own[0].post(None)
    try:
        yield
    finally:
        own.remove(mine)
        if not own:
            _streams.pop(person, None)


async def _with_pauses(mine: Subscription, pause_s: float) -> AsyncIterator[News | None]:
    """News as they come, and None when there were none for a while."""
    news = aiter(mine)
    while True:
        try:
            async with asyncio.timeout(pause_s):
                item = await anext(news, None)
        except TimeoutError:
            news = aiter(mine)  # the wait was cancelled, and this iterator with it; nothing is lost
            yield None
            continue
        if item is None:
            return
        yield item


def _organisations(person: Person) -> frozenset[str]:
    """All one belongs to: a receipt names the session, not the technician, so those are looked at one by one. And those
    of customers, for the page that shows them together.
    """
    own = {membership.organisation.public_id for membership in person.memberships.select_related("organisation")}
    outside = () if person.principal is not None else customers(person)
    return frozenset(own | {row.organisation.public_id for row in outside})


def _concerns(person: Person, news: News) -> bool:
    if (
        news.organisation in person.event_organisations
        or _delegated(person, news)
        or person.public_id in (news.actor, news.person)
    ):
        return True
    return bool(news.session) and remote_sessions.sessions(person).filter(public_id=news.session).exists()


def _delegated(person: Person, news: News) -> bool:
    """What a provider's people may see also without reading the register."""
    if person.principal is None and news.organisation in person.roles:
        return False
    reader = person if person.principal is not None else across(person)
    return any(
        news.code.startswith(codes) and news.organisation in reader.told_of(power) for power, codes in _OF_POWER.items()
    )
