# SPDX-License-Identifier: Apache-2.0
"""What a gateway says that it understands of orders, beyond what every one ever did: orders say the rest to nobody.

A gateway refuses an order with a field that it does not know. So the control plane leaves out what only helps, and
refuses at set-up what an owner was promised. One list for all of it: a new name needs no new field of a question, which
an older server would refuse.
"""

from typing import Final

FREE_READS: Final = "free-reads"  # ``Asset.free_reads``
PROGRAM_CONTENTS: Final = "program-contents"  # ``Order.program_contents``
UNDERSTOOD: Final = (FREE_READS, PROGRAM_CONTENTS)  # by a gateway of this version
MOST: Final = 64
