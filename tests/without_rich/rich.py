# SPDX-License-Identifier: Apache-2.0
"""As where only Portineria is installed: structlog looks for rich, and loads all of it where it finds it."""

raise ImportError("not here")
