# SPDX-License-Identifier: Apache-2.0
import resource


def raise_descriptor_limit() -> int:
    """As many file descriptors as the system lets this process have; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
