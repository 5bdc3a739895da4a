# SPDX-License-Identifier: Apache-2.0
import socket

from portineria.dataplane.aio.outer import is_far


def test_what_answers_at_once_is_not_far() -> None:
    """The kernel's figure of a real connection; one that is not connected, or closed, has none."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as one:
        assert not is_far(one, from_s=0)
        one.connect(listener.getsockname())
        assert is_far(one, from_s=0)
        assert not is_far(one)
    assert not is_far(one, from_s=0)
