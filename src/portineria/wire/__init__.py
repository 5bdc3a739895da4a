# SPDX-License-Identifier: Apache-2.0
"""Our own tunnel protocol, sans-IO: bytes in, messages out. The rules are in docs/reference/wire.md."""
