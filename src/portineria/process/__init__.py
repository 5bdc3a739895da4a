# SPDX-License-Identifier: Apache-2.0
"""What each of our processes does when it starts: read its settings, set up its log, choose its event loop."""
