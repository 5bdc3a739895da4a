# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

from asyncua.ua.object_ids import ObjectIds

from portineria.protocols.opcua.file_methods import FILE_METHODS

NAMED = {
    "Open": "file-open",
    "OpenWithMasks": "file-open-with-masks",
    "Close": "file-close",
    "Read": "file-read",
    "Write": "file-write",
    "GetPosition": "file-get-position",
    "SetPosition": "file-set-position",
    "CloseAndUpdate": "file-apply",
    "ExportNamespace": "file-export",
}


def test_the_methods_of_all_files_that_the_standard_names_are_known() -> None:
    """Against the list that a maintained implementation makes from NodeIds.csv."""
    found = dict[str, str]()
    for name, number in vars(ObjectIds).items():
        if isinstance(number, int) and (end := re.search(rf"(?:^|_)({'|'.join(NAMED)})$", name)):
            found[f"i={number}"] = NAMED[end[1]]
    assert {node: name for node, (name, _, _) in FILE_METHODS.items()} == found
