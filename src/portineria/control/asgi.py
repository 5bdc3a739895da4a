# SPDX-License-Identifier: Apache-2.0
"""The web application. ``serve`` has started Django with its settings before this is imported."""

from django.core.asgi import get_asgi_application

application = get_asgi_application()
