# SPDX-License-Identifier: Apache-2.0
"""Loaded with the first request that comes here, as the REST API is."""

from django.urls import path

from portineria.control.scim import views
from portineria.control.scim.door import not_offered, nowhere, scim

app_name = "scim"
urlpatterns = [
    path("Users", scim(GET=views.users, POST=views.user_add)),
    path("Users/<str:public_id>", scim(
        GET=views.user, PUT=views.user_replace, PATCH=views.user_patch, DELETE=views.user_remove)),
    path("Groups", scim(GET=views.groups, POST=views.group_add)),
    path("Groups/<str:public_id>", scim(
        GET=views.group, PUT=views.group_replace, PATCH=views.group_patch, DELETE=views.group_remove)),
    path("ServiceProviderConfig", scim(GET=views.config)),
    path("ResourceTypes", scim(GET=views.resource_types)),
    path("ResourceTypes/<str:public_id>", scim(GET=views.resource_type)),
    path("Schemas", scim(GET=views.schemas)),
    path("Schemas/<str:public_id>", scim(GET=views.schema)),
    path("Bulk", scim(POST=not_offered)),
    path("Me", scim(GET=not_offered, POST=not_offered, PUT=not_offered, PATCH=not_offered, DELETE=not_offered)),
    path(".search", scim(POST=not_offered)),
    path("<path:rest>", scim(GET=nowhere, POST=nowhere, PUT=nowhere, PATCH=nowhere, DELETE=nowhere)),
]  # fmt: skip
