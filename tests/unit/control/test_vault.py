# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import stat
from pathlib import Path

import pytest

from portineria.control.identity.vault import WrongMasterKey, unwrap, wrap
from portineria.control.settings.master_key import FILE, make_master_key, master_key
from portineria.control.settings.start import current


def test_a_wrapped_secret_opens_for_its_own_purpose_only() -> None:
    wrapped = wrap(b"private", purpose="root/sig_a")
    assert b"private" not in wrapped
    assert unwrap(wrapped, purpose="root/sig_a") == b"private"
    with pytest.raises(WrongMasterKey):
        unwrap(wrapped, purpose="root/sig_b")


def test_an_altered_secret_does_not_open() -> None:
    wrapped = bytearray(wrap(b"private", purpose="root"))
    wrapped[-1] ^= 1
    with pytest.raises(WrongMasterKey):
        unwrap(bytes(wrapped), purpose="root")
    with pytest.raises(WrongMasterKey):
        unwrap(b"short", purpose="root")


def test_the_key_file_is_its_owners_alone_and_never_replaced(tmp_path: Path) -> None:
    make_master_key(tmp_path)
    text = (tmp_path / FILE).read_bytes()
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    make_master_key(tmp_path)
    assert (tmp_path / FILE).read_bytes() == text


def test_another_master_key_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = wrap(b"private", purpose="root")
    monkeypatch.setenv("PORTINERIA_MASTER_KEY", "A" * 43 + "=")
    assert master_key() == bytes(32)
    with pytest.raises(WrongMasterKey):
        unwrap(wrapped, purpose="root")
    assert (current().state / FILE).exists()
