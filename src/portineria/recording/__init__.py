# SPDX-License-Identifier: Apache-2.0
"""What a recording of a session is, and how anybody checks one: captures, sealed chunks, their chain. No I/O."""
