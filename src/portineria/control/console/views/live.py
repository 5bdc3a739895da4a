# SPDX-License-Identifier: Apache-2.0
"""One stream per open page. It carries only which kind of event happened; the page asks again by itself.

Who is at the other end, and what they may know, is asked anew before every line: a stream may live for days.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from portineria.control.audit.news import News, Subscription, subscription
from portineria.control.identity.models import Person
from portineria.control.identity.queries import person_of_browser
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions import queries as remote_sessions

_STILL_HERE_S = 25  # proxies drop what is silent for 30 s or longer
_RETRY_MS = 1000
_PER_PERSON = 16  # a browser opens six at the most; of a seventeenth the oldest ends, which nobody may read any more
_streams: dict[str, list[Subscription]] = {}  # touched on the event loop only


async def live(request: HttpRequest) -> HttpResponseBase:
    person: Person | AnonymousUser = await request.auser()
    if not isinstance(person, Person):
        return HttpResponse(status=204)  # tells the browser not to come back
    lines = _lines(request.session.session_key or "", person)
    response = StreamingHttpResponse(lines, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(browser: str, person: Person) -> AsyncIterator[str]:
    organisations = await sync_to_async(given_back(_organisations))(person)
    with subscription(organisations=organisations, person=person.public_id) as mine, _counted(person.public_id, mine):
        yield f"retry: {_RETRY_MS}\n\n"  # the page hears that it is open: from here on nothing is missed
        async for news in _with_pauses(mine):
            somebody = await sync_to_async(given_back(person_of_browser))(browser)
            if somebody is None:
                return
            if news is None:
                yield ": still here\n\n"
            elif await sync_to_async(given_back(_concerns))(somebody, news):
                yield f"event: changed\ndata: {news.code}\n\n"


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


async def _with_pauses(mine: Subscription) -> AsyncIterator[News | None]:
    """News as they come, and None when there were none for a while."""
    news = aiter(mine)
    while True:
        try:
            async with asyncio.timeout(_STILL_HERE_S):
                item = await anext(news, None)
        except TimeoutError:
            news = aiter(mine)  # the wait was cancelled, and this iterator with it; nothing is lost
            yield None
            continue
        if item is None:
            return
        yield item


def _organisations(person: Person) -> frozenset[str]:
    """All one belongs to: a receipt names the session, not the technician, so those are looked at one by one."""
    return frozenset(
        membership.organisation.public_id for membership in person.memberships.select_related("organisation")
    )


def _concerns(person: Person, news: News) -> bool:
    if news.organisation in person.event_organisations or person.public_id in (news.actor, news.person):
        return True
    return bool(news.session) and remote_sessions.sessions(person).filter(public_id=news.session).exists()
