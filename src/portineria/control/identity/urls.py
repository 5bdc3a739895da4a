# SPDX-License-Identifier: Apache-2.0
from django.urls import path

from portineria.control.identity import views

urlpatterns = [path("authorize", views.authorize, name="connector_authorize")]
