# SPDX-License-Identifier: Apache-2.0
from django.apps import AppConfig


class Config(AppConfig):
    name = "portineria.control.privacy"
    default_auto_field = "django.db.models.BigAutoField"
