# SPDX-License-Identifier: Apache-2.0
"""Django's SQLite, with connections that go round inside a server."""
