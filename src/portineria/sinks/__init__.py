# SPDX-License-Identifier: Apache-2.0
"""Where the register goes besides: how an event is written for each receiver, and how it is brought there."""
