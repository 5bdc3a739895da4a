# SPDX-License-Identifier: Apache-2.0
import platform

from portineria.process.memory import keep_freed_blocks


def test_glibc_takes_the_settings_and_others_are_left_alone() -> None:
    assert keep_freed_blocks() == (platform.libc_ver()[0] == "glibc")
