# SPDX-License-Identifier: Apache-2.0
"""Which settings this process runs with. The only place where the control plane looks at its environment."""

import gc
import os
from pathlib import Path

from portineria.control.settings.server import DEFAULT_STATE, PREFIX, ServerSettings, load

_MODULE = "portineria.control.settings.base"
# New objects between two looks for rubbish, looks between two at what survived one, those between two at everything:
# Python's own (700, 10, 10) cost one page in twenty 0.1 s. Circles of rubbish come to some 40,000 objects.
_LOOKS = (10_000, 3, 10)
_MANY = 20_000  # objects that a look at everything leaves: addresses, templates and the like, which stay
_TIMES = 100  # that it spares them: a circle that breaks later is never found among them
_used: list[ServerSettings] = []


def use(settings: ServerSettings) -> None:
    """Start Django with these settings. Once per process, before anything imports a model."""
    import django

    _used[:] = [settings]
    os.environ["DJANGO_SETTINGS_MODULE"] = _MODULE
    gc.disable()  # what is loaded stays: to look through it for rubbish again and again takes a tenth of the start
    try:
        django.setup()
    finally:
        gc.enable()
    gc.freeze()  # nor later
    gc.set_threshold(*_LOOKS)
    _spare_what_stays()


def _spare_what_stays() -> None:
    """Much is loaded by the first who ask for it; later looks at everything leave it out."""
    left = _TIMES

    def looked(phase: str, look: dict[str, int]) -> None:
        nonlocal left
        if phase == "stop" and look["generation"] == 2 and len(gc.get_objects(2)) > _MANY:
            gc.freeze()
            left -= 1
            if not left:
                gc.callbacks.remove(looked)

    gc.callbacks.append(looked)


def current() -> ServerSettings:
    """What ``use`` was given; without it (Django's own commands) the folder PORTINERIA_STATE, or the default one."""
    if not _used:
        _used.append(load(Path(os.environ.get("PORTINERIA_STATE") or DEFAULT_STATE)))
    return _used[0]


def in_the_environment(setting: str) -> bool:
    """What stands there wins over the file."""
    return PREFIX + setting in os.environ


def master_key_from_environment() -> str | None:
    return os.environ.get("PORTINERIA_MASTER_KEY")
