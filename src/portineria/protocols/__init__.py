# SPDX-License-Identifier: Apache-2.0
"""Industrial protocols: bytes in, operations out. No sockets, no clock, no logging. See ``inspection``."""
