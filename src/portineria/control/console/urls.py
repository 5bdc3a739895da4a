# SPDX-License-Identifier: Apache-2.0
from django.urls import path

from portineria.control.console.views import account, events, gateways, home, live, machines, requests, sessions

app_name = "console"
urlpatterns = [
    path("", home.home, name="home"),
    path("live/", live.live, name="live"),
    path("language/", account.language, name="language"),
    path("machines/", machines.machines, name="machines"),
    path("machines/<str:machine>/", machines.machine, name="machine"),
    path("machines/<str:machine>/ask/", machines.ask, name="ask"),
    path("requests/", requests.mine, name="requests"),
    path("requests/<str:public_id>/", requests.show, name="request"),
    path("requests/<str:public_id>/approve/", requests.approve, name="request-approve"),
    path("requests/<str:public_id>/refuse/", requests.refuse, name="request-refuse"),
    path("requests/<str:public_id>/withdraw/", requests.withdraw, name="request-withdraw"),
    path("approvals/", requests.approvals, name="approvals"),
    path("grants/<str:grant>/extend/", requests.extend, name="grant-extend"),
    path("grants/<str:grant>/revoke/", requests.revoke, name="grant-revoke"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions/<str:public_id>/", sessions.session, name="session"),
    path("sessions/<str:public_id>/cut/", sessions.cut, name="cut"),
    path("sessions/<str:public_id>/lock-person/", sessions.lock_person, name="lock-person"),
    path("sessions/<str:public_id>/lock-supplier/", sessions.lock_supplier, name="lock-supplier"),
    path("sessions/<str:public_id>/end/", sessions.end, name="end"),
    path("gateways/", gateways.gateways, name="gateways"),
    path("gateways/add/", gateways.add, name="gateway-add"),
    path("gateways/<str:public_id>/", gateways.gateway, name="gateway"),
    path("gateways/<str:public_id>/refuse/", gateways.refuse, name="gateway-refuse"),
    path("gateways/<str:public_id>/revoke/", gateways.revoke, name="gateway-revoke"),
    path("events/", events.events, name="events"),
    path("account/", account.account, name="account"),
    path("account/offers/<str:organisation>/accept/", account.accept_offer, name="offer-accept"),
    path("account/offers/<str:organisation>/decline/", account.decline_offer, name="offer-decline"),
    path("account/connectors/<str:token>/sign-out/", account.sign_out_connector, name="connector-sign-out"),
]
