# SPDX-License-Identifier: Apache-2.0
"""What the console does, for programs: the same queries and services, typed, as JSON."""
