# SPDX-License-Identifier: Apache-2.0
"""Has the newest checkpoints cosigned by the witnesses of the settings, each by itself: none waits for another.

Nothing else waits for them either: sealing and access go on while all of them are away.
"""

import asyncio
import ssl
from pathlib import Path

import structlog
from django.db import DatabaseError
from django.utils import timezone

from portineria.control.audit import cosigning
from portineria.control.own_connection import given_back
from portineria.control.settings.server import ServerSettings, WitnessPlace
from portineria.control.witness_client import WitnessAway, ask
from portineria.core.errors import PortineriaError, ProtocolError
from portineria.ledger.note import VerifierKey
from portineria.ledger.witness import COSIGNED, Answer, answer_name, read_answer, stem_of
from portineria.process.settings import BadSettings
from portineria.witness.drop import NoDrop, answers_in, names_in, remove, write_whole

log = structlog.get_logger()
ROUND_S = 1.0


def authorities(file: Path | None) -> ssl.SSLContext:
    """The system's, and those of this file. Raise BadSettings."""
    context = ssl.create_default_context()
    if file is not None:
        try:
            context.load_verify_locations(file)
        except (OSError, ssl.SSLError) as error:
            raise BadSettings(f"witness_authorities: {file}: {error}") from error
    return context


async def keep_witnessed(settings: ServerSettings) -> None:
    """For ever, with whatever witnesses there are. Raise BadSettings."""
    places = settings.witness_places()
    await Witnessing(places, authorities(settings.witness_authorities)).run()
    await asyncio.get_running_loop().create_future()  # there are none


class Witnessing:
    def __init__(self, places: list[WitnessPlace], tls: ssl.SSLContext) -> None:
        self._places, self._tls = places, tls

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(self._follow(place) for place in self._places))

    async def _follow(self, place: WitnessPlace) -> None:
        while True:
            await self.round(place)
            await asyncio.sleep(ROUND_S)

    async def round(self, place: WitnessPlace) -> None:
        """Ask this witness everything that is to be asked now."""
        try:
            for organisation in await asyncio.to_thread(_waiting, place.key):
                if place.drop is None:
                    await self._ask(place, organisation)
                else:
                    await asyncio.to_thread(_by_folder, place.key, place.drop, organisation)
        except DatabaseError as error:
            log.warning("register.database", why=str(error))
        except PortineriaError as error:  # a tree with gaps: the sealer says the same, louder
            log.error("register.not-witnessed", witness=place.key.name, code=error.code, why=str(error))

    async def _ask(self, place: WitnessPlace, organisation: str) -> None:
        for _ in range(2):  # what it says about itself is believed once a round
            question = await asyncio.to_thread(_question, organisation, place.key)
            if question is None:
                return
            try:
                answer = await ask(place.url, question.data, self._tls)
            except WitnessAway as error:
                await asyncio.to_thread(_fail, organisation, place.key, str(error))
                return
            if not await asyncio.to_thread(_heed, question, place.key, answer):
                return


# Each of these runs in some thread and gives its connection back.


@given_back
def _waiting(witness: VerifierKey) -> list[str]:
    return cosigning.waiting(witness, timezone.now())


@given_back
def _question(organisation: str, witness: VerifierKey) -> cosigning.Question | None:
    return cosigning.question(organisation, witness)


@given_back
def _heed(question: cosigning.Question, witness: VerifierKey, answer: Answer) -> bool:
    return cosigning.heed(question, witness, answer, timezone.now())


@given_back
def _fail(organisation: str, witness: VerifierKey, why: str) -> None:
    cosigning.fail(organisation, witness, why, timezone.now())


@given_back
def _by_folder(witness: VerifierKey, drop: Path, organisation: str) -> None:
    """Take what was answered, then leave the newest question there."""
    asked = cosigning.question(organisation, witness)
    if asked is None:
        return
    try:
        _take_answers(witness, drop, asked)
        asked = cosigning.question(organisation, witness)
        if asked is not None:
            _leave(drop, asked)
            cosigning.wait(organisation, witness, timezone.now())
    except NoDrop as error:
        cosigning.fail(organisation, witness, str(error), timezone.now())


def _take_answers(witness: VerifierKey, drop: Path, asked: cosigning.Question) -> None:
    for name, size, data in answers_in(drop, witness.key_id, stem_of(asked.origin)):
        # An answer that could not be removed lies there for good: only one to the present question teaches a size.
        if cosigning.is_cosigned(asked.organisation, size, witness):
            continue
        try:
            answer = read_answer(data)
        except ProtocolError as error:
            cosigning.fail(asked.organisation, witness, f"its answer is none: {error}", timezone.now())
            continue
        if answer.status == COSIGNED or name == asked.name:
            older = cosigning.Question(asked.organisation, asked.origin, asked.old, size, b"")
            cosigning.heed(older, witness, answer, timezone.now())
            remove(drop, name, answer_name(name, witness.key_id))


def _leave(drop: Path, asked: cosigning.Question) -> None:
    """One question of each register; those that nobody answered yet are gone, where that is allowed."""
    names = names_in(drop)
    stem = f"{stem_of(asked.origin)}-"
    older = [name for name in names if name.startswith(stem) and name.endswith(".request")]
    remove(drop, *(name for name in older if name != asked.name))
    if asked.name not in names:
        write_whole(drop / asked.name, asked.data)
