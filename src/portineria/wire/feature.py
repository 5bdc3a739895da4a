# SPDX-License-Identifier: Apache-2.0
"""What a gateway says that it understands of orders, beyond what every one ever did: orders say the rest to nobody.

A gateway refuses an order with a field that it does not know. So the control plane leaves out what only helps, and
refuses at set-up what an owner was promised. One list for all of it: a new name needs no new field of a question, which
an older server would refuse.
"""

from typing import Annotated, Final

from msgspec import Meta

FREE_READS: Final = "free-reads"  # ``Asset.free_reads``
FREE_NODES: Final = "free-nodes"  # ``Asset.free_nodes``
PROGRAM_CONTENTS: Final = "program-contents"  # ``Order.program_contents``
UNDERSTOOD: Final = (FREE_READS, FREE_NODES, PROGRAM_CONTENTS)  # by a gateway of this version
MOST: Final = 64
FREE_RANGES = 16  # and as many nodes, of one service
_Address = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
FreeRange = tuple[Annotated[str, Meta(min_length=1, max_length=24)], _Address, _Address]
FreeNode = Annotated[str, Meta(min_length=1, max_length=120)]
