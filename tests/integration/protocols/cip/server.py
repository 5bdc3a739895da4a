# SPDX-License-Identifier: Apache-2.0
"""A stock tag server of other people as a process of its own: says its port, answers each line with its state."""

from __future__ import annotations

import asyncio
import json
import sys

from ethernetip.cip.identity_info import IdentityInfo
from ethernetip.connections.connection_manager import ConnectionManagerObject
from ethernetip.logix import data_types
from ethernetip.logix.logix_dispatcher import LogixDispatcher
from ethernetip.logix.tag_database import TagDatabase
from ethernetip.protocol.eip_adapter import EipAdapter

TAGS = {"Speed": data_types.DINT, "Temperature": data_types.REAL, "Parts": data_types.DINT}


class Counting(LogixDispatcher):  # type: ignore[misc]  # it has no type information
    asked = 0

    def dispatch(self, *request):
        self.asked += 1
        return super().dispatch(*request)


async def main() -> None:
    tags, written = TagDatabase(), list[str]()
    for name, kind in TAGS.items():
        tags.add_tag(name, kind)
    tags.on_any_tag_changed.append(lambda tag, change: written.append(tag.name))
    identity = IdentityInfo(
        vendor_id=1, device_type=14, product_code=54, major_revision=20, minor_revision=11, serial_number=7,
        product_name="Stock",
    )  # fmt: skip
    dispatcher, manager = Counting(tags, identity), ConnectionManagerObject()
    manager.dispatch_request = dispatcher.dispatch
    dispatcher.register_class(manager.cip_class)

    def towards_client(connection: int) -> int:
        found = manager.find_by_ot_id(connection)
        return found.to_connection_id if found else 0

    async with EipAdapter(dispatcher, identity) as adapter:
        adapter.connection_id_lookup = towards_client
        await adapter.listen("127.0.0.1", 0)
        print(adapter.port, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            values = {tag.name: bytes(tag.get_data()).hex() for tag in tags.all_tags}
            print(json.dumps({"written": written, "values": values, "asked": dispatcher.asked}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
