# SPDX-License-Identifier: Apache-2.0
"""Loaded with the first request that comes here: its two hundred operations take a second of every start."""

from portineria.control.rest.api import api

urlpatterns, app_name, _namespace = api.urls
