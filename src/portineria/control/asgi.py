# SPDX-License-Identifier: Apache-2.0
"""The web application. ``serve`` has started Django with its settings before this is imported."""

from typing import Any

from django.core.asgi import get_asgi_application

_django: Any = get_asgi_application()

from portineria.control.body_limit import BodyLimit  # noqa: E402 its texts and views need Django to have started
from portineria.control.figures import CountAnswers  # noqa: E402 likewise

application = CountAnswers(BodyLimit(_django))
