# SPDX-License-Identifier: Apache-2.0
import socket

import pytest

from portineria.dataplane.aio import outer


def test_what_answers_at_once_is_not_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's figure of a real connection; one that is not connected has none."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as one:
        monkeypatch.setattr(outer, "FAR_S", 0.0)
        assert not outer.is_far(one)
        one.connect(listener.getsockname())
        assert outer.is_far(one)
        monkeypatch.setattr(outer, "FAR_S", 0.1)
        assert not outer.is_far(one)
