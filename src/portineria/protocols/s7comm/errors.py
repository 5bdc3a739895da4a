# SPDX-License-Identifier: Apache-2.0
"""The error of this protocol."""

from portineria.protocols.inspection import Undecodable


class BadS7(Undecodable):
    code = "protocol.s7comm"
