# SPDX-License-Identifier: Apache-2.0
"""The way from a service, in any thread, to the bus. Without a switchboard in this process nothing is sent, and
nothing is lost: what is to be sent follows from the database, and the switchboard says it again until it is answered.
"""

from collections.abc import Callable

from django.db import transaction

from portineria.bus.message import ToRelay

Send = Callable[[ToRelay], object]
_attached: list[Send] = []


def attach(send: Send) -> None:
    """``send`` may be called from any thread."""
    _attached[:] = [send]


def detach() -> None:
    _attached.clear()


def after_commit(*messages: ToRelay) -> None:
    transaction.on_commit(lambda: send(*messages))


def send(*messages: ToRelay) -> None:
    for way in _attached:
        for message in messages:
            way(message)
