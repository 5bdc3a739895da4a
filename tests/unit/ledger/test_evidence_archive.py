# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from portineria.ledger.evidence_archive import pack, unpack
from portineria.ledger.evidence_verification import verify_bundle
from portineria.ledger.trust import Trust

NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
MEMBERS = st.dictionaries(NAMES, st.binary(max_size=60), max_size=4)


@given(MEMBERS)
def test_everybodys_tools_open_what_was_packed(members: dict[str, bytes]) -> None:
    data = pack(members)
    assert unpack(data) == (members, [])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == members


@given(MEMBERS, st.data())
def test_another_byte_is_another_file(members: dict[str, bytes], data: st.DataObject) -> None:
    packed = bytearray(pack(members))
    at, value = data.draw(st.integers(0, len(packed) - 1)), data.draw(st.integers(1, 255))
    packed[at] ^= value
    assert unpack(bytes(packed))[1]


@given(MEMBERS)
def test_what_another_tool_packed_is_told_and_still_read(members: dict[str, bytes]) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    found, faults = unpack(file.getvalue())
    assert found == members
    assert bool(faults) == bool(members)


@given(st.binary(max_size=300) | MEMBERS.map(pack).flatmap(lambda data: st.just(data[: len(data) // 2])))
def test_no_bytes_end_the_checker_otherwise_than_by_faults(data: bytes) -> None:
    assert verify_bundle(data, Trust()).faults
