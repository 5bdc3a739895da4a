# SPDX-License-Identifier: Apache-2.0
"""Asking a server that may be away: it is waited for, that is said once per change, and given up after a while."""

import asyncio
from typing import TypeVar

from portineria.core.errors import PortineriaError, Unavailable
from portineria.dataplane.aio.away import ServerAway, ServerRefuses, ServerSilent, ServerUnknown
from portineria.dataplane.connector.api import TIMEOUT_S, Api
from portineria.dataplane.connector.legs import jittered
from portineria.dataplane.connector.session import Tell
from portineria.dataplane.connector.text import duration, text_of

WAIT_S = 120.0
_SILENT_S = 3.0  # from then on no answer is told
_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
_BALANCER = Unavailable.code  # a balancer's or proxy's own page: the server behind it is away
_COMES_BACK_LATER = "gateway.away"  # relays and gateways find a server that was away a moment after we do
T = TypeVar("T")


class GivenUp(Unavailable):
    """The message is the line about what was waited for."""

    code = "server.given-up"


class GivenUpAsking(GivenUp):
    """What was asked may have been done all the same."""

    code = "server.given-up-asking"


class Patience:
    """``in_doubt``: whether something was asked that may have been done, though no answer says so."""

    def __init__(self, api: Api, tell: Tell, wait_s: float) -> None:
        self._api, self._tell, self._wait_s = api, tell, wait_s
        self._told = ""
        self._deadline = 0.0  # of the event loop's clock; set when the trouble begins
        self._was_away = False
        self.in_doubt = False

    async def ask(self, method: str, path: str, shape: type[T], body: object = None) -> T:
        """The answer. What changes something must be such that it is done once, however often it is asked.

        Raises what the server answers; GivenUp when it does not.
        """
        pause_s = _PAUSE_S
        while True:
            try:
                answer = await self._once(method, path, shape, body)
            except Unavailable as error:
                if not self._passes(error):
                    raise
                self._trouble(error)
                if self._left_s <= 0:
                    raise self._given_up(error) from error
            else:
                self._back()
                return answer
            await asyncio.sleep(min(jittered(pause_s), self._left_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once(self, method: str, path: str, shape: type[T], body: object) -> T:
        changes, doubted = method != "GET", self.in_doubt
        self.in_doubt |= changes
        try:
            answer = await self._bounded(method, path, shape, body)
        except (ServerRefuses, ServerUnknown):  # it was not sent
            self.in_doubt = doubted
            raise
        except PortineriaError as error:
            if not isinstance(error, ServerAway) and error.code != _BALANCER:  # the server said no
                self.in_doubt = doubted
            raise
        self.in_doubt = doubted and not changes
        return answer

    async def _bounded(self, method: str, path: str, shape: type[T], body: object) -> T:
        """Also a server that answers a byte a second is asked anew."""
        silent = ServerSilent(f"{self._api.where}: no answer yet")
        telling = asyncio.get_running_loop().call_later(_SILENT_S, self._trouble, silent)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._api.in_thread(method, path, shape, body)
        except TimeoutError as error:
            raise silent from error
        finally:
            telling.cancel()

    def _passes(self, error: Unavailable) -> bool:
        later = self._was_away and error.code == _COMES_BACK_LATER
        return later or isinstance(error, ServerAway) or error.code == _BALANCER

    @property
    def _left_s(self) -> float:
        return self._deadline - asyncio.get_running_loop().time()

    def _trouble(self, error: Unavailable) -> None:
        if not self._was_away:
            self._was_away = True
            self._deadline = asyncio.get_running_loop().time() + self._wait_s
        if error.code != self._told and self._left_s > 0:
            self._told = error.code
            self._tell("server.waited-for", why=_line(error), left=duration(self._left_s))

    def _back(self) -> None:
        if self._told:
            self._told = ""
            self._tell("control.back")

    def _given_up(self, error: Unavailable) -> Unavailable:
        if self.in_doubt:
            return GivenUpAsking(_line(error))
        return GivenUp(_line(error)) if self._wait_s > 0 else error


def _line(error: Unavailable) -> str:
    return text_of(error.code, why=str(error)) or str(error)
