# SPDX-License-Identifier: Apache-2.0
"""A witness that anybody can run: it keeps what it cosigned of each register, and cosigns no second history of it."""
