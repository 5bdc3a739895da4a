# SPDX-License-Identifier: Apache-2.0
"""One stream per open page. It carries only which kind of event happened; the page asks again by itself."""

import asyncio
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from portineria.control.audit.news import News, Subscription, subscription
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions

_STILL_HERE_S = 25  # proxies drop what is silent for 30 s or longer
_RETRY_MS = 1000


async def live(request: HttpRequest) -> HttpResponseBase:
    person: Person | AnonymousUser = await request.auser()
    if not isinstance(person, Person):
        return HttpResponse(status=204)  # tells the browser not to come back
    response = StreamingHttpResponse(_lines(request, person), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(request: HttpRequest, person: Person) -> AsyncIterator[str]:
    yield f"retry: {_RETRY_MS}\n\n"
    organisations = await sync_to_async(_organisations)(person)
    with subscription(organisations=organisations, person=person.public_id) as mine:
        async for news in _with_pauses(mine):
            if news is None:
                if not await sync_to_async(_signed_in)(request):
                    return
                yield ": still here\n\n"
            elif await sync_to_async(_concerns)(person, news):
                yield f"event: changed\ndata: {news.code}\n\n"


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


def _signed_in(request: HttpRequest) -> bool:
    return bool(request.session.session_key and request.session.exists(request.session.session_key))


def _concerns(person: Person, news: News) -> bool:
    if news.organisation in person.event_organisations or person.public_id in (news.actor, news.person):
        return True
    return bool(news.session) and remote_sessions.sessions(person).filter(public_id=news.session).exists()
