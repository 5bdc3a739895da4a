# SPDX-License-Identifier: Apache-2.0
"""What can be delegated, in plain words."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portineria.control.identity.delegation_models import Power

POWERS: dict[Power, "str | Promise"] = {
    Power.ESTATE: _("see plants, machines and gateways"),
    Power.WORK: _("see requests, permissions and sessions"),
    Power.DECIDE: _("approve and refuse requests, extend permissions"),
    Power.WATCH: _("look on at running sessions"),
    Power.CUT: _("cut, end and freeze sessions, take permissions back"),
    Power.LOCK: _("lock machines, lines, zones, plants and gateways"),
    Power.REGISTER: _("read the register"),
    Power.SINK: _("bring events of the register to its own systems"),
}
