# SPDX-License-Identifier: Apache-2.0
"""One simulated plant: real protocol servers around one living press line.

Kept empty of imports: the protocol libraries cost seconds, and only the plant's own process needs them.
"""
