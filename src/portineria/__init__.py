# SPDX-License-Identifier: Apache-2.0
"""Portineria: a technician reaches one machine in a plant, for as long as the owner allows."""

__version__ = "0.1.0"
