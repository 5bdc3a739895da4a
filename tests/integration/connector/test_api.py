# SPDX-License-Identifier: Apache-2.0
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.errors import Conflict, Denied, Invalid, NotFound, PortineriaError, Unavailable
from portineria.dataplane.aio.away import NoTls, NotTrusted, ServerAway
from portineria.dataplane.connector import api as connector_api
from portineria.dataplane.connector.api import ANSWER_BYTES, Api, BadAnswer, segment
from portineria.dataplane.connector.text import text_of
from portineria.wire.http_connect import BadProxyAnswer, ProxyCredentials, ProxyRefused
from tests.integration.connector.responder import Responder, responding
from tests.integration.connector.wire_pair import Certificates

TOKEN = "token-of-the-technician"


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def server(key: Ed25519PrivateKey) -> Iterator[Responder]:
    with responding(Responder(key=key.public_key(), token=TOKEN)) as made:
        yield made


@pytest.fixture
def api(server: Responder, key: Ed25519PrivateKey) -> Api:
    return Api(server.url, proxy="none", credential=lambda: (key, TOKEN))


def test_the_proof_covers_method_path_query_and_body(server: Responder, api: Api) -> None:
    server.answers = {
        "GET /api/v1/machines": (200, [{"machine": "mac_1"}]),
        f"GET /api/v1/machines/{segment('Press 3/4 è')}?a=b": (200, {"ok": 1}),
        "POST /api/v1/requests": lambda asked: (200, asked.json),
    }
    assert api.call("GET", "/api/v1/machines", list[dict[str, str]]) == [{"machine": "mac_1"}]
    assert api.call("GET", f"/api/v1/machines/{segment('Press 3/4 è')}?a=b", dict[str, int]) == {"ok": 1}
    assert api.call("POST", "/api/v1/requests", dict[str, str], {"reason": "è"}) == {"reason": "è"}


def test_a_stolen_token_is_useless_without_its_key(server: Responder) -> None:
    stranger = Api(server.url, proxy="none", credential=lambda: (Ed25519PrivateKey.generate(), TOKEN))
    server.answers = {"GET /api/v1/me": (200, {})}
    with pytest.raises(Denied) as caught:
        stranger.call("GET", "/api/v1/me", dict[str, str])
    assert caught.value.code == "token.invalid"


@pytest.mark.parametrize("hours", [-30, 12])
def test_a_wrong_clock_on_this_computer_is_corrected_by_the_servers(server: Responder, api: Api, hours: int) -> None:
    server.clock_ahead_s = hours * 3600
    server.answers = {"GET /api/v1/me": (200, {"person": "per_1"})}
    assert api.call("GET", "/api/v1/me", dict[str, str]) == {"person": "per_1"}
    assert abs(api.unix_ms / 1000 - server.now) < 5
    api.call("GET", "/api/v1/me", dict[str, str])
    assert len(server.asked) == 3  # refused, corrected, and right from then on


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, Denied),
        (404, NotFound),
        (409, Conflict),
        (422, Invalid),
        (400, Invalid),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_a_problem_becomes_an_error_of_its_kind_with_code_and_words(
    server: Responder, api: Api, status: int, kind: type[PortineriaError]
) -> None:
    server.answers = {"GET /x": (status, {"code": "access.expired", "title": "t", "detail": "It is over."})}
    with pytest.raises(kind) as caught:
        api.call("GET", "/x", dict[str, str])
    assert (caught.value.code, str(caught.value)) == ("access.expired", "It is over.")


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>please sign in to the hotel's network</html>"),
        (200, b"\xff\xfe"),
        (200, b"[" * 100_000),
        (200, {"machine": 1}),
        (200, b" " * (ANSWER_BYTES + 1)),
        (302, b""),
    ],
    ids=["a page", "no text", "endless brackets", "another shape", "too much", "a redirect"],
)
def test_an_answer_that_is_not_ours_is_named_as_such(server: Responder, api: Api, answer: Any) -> None:
    server.answers = {"GET /x": answer}
    with pytest.raises(BadAnswer):
        api.call("GET", "/x", dict[str, str])


def test_a_balancers_own_error_page_is_an_unavailable_server(server: Responder, api: Api) -> None:
    server.answers = {"GET /x": (502, b"<html>Bad gateway</html>")}
    with pytest.raises(Unavailable) as caught:
        api.call("GET", "/x", dict[str, str])
    assert caught.value.code == "unavailable"


def test_a_server_that_is_not_there_is_said_to_be_away(key: Ed25519PrivateKey) -> None:
    with pytest.raises(ServerAway, match=r"127\.0\.0\.1:1"):
        Api("http://127.0.0.1:1", proxy="none", credential=lambda: (key, TOKEN)).call("GET", "/", dict[str, str])


def test_plain_http_which_is_to_this_computer_only_goes_to_no_proxy(server: Responder, key: Ed25519PrivateKey) -> None:
    server.answers = {"GET /x": (200, {"ok": "1"})}
    api = Api(server.url, proxy="http://127.0.0.1:1", credential=lambda: (key, TOKEN))
    assert api.call("GET", "/x", dict[str, str]) == {"ok": "1"}


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", ProxyCredentials, "407"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", ProxyRefused, "403"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", ProxyRefused, "502"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", BadProxyAnswer, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n", ServerAway, "the proxy closed the connection"),
    ],
    ids=["other credentials", "not there", "cannot reach it", "no proxy", "gone in the middle"],
)
def test_what_a_proxy_says_instead_of_the_server_is_told_apart(
    key: Ed25519PrivateKey, answer: bytes, kind: type[PortineriaError], said: str
) -> None:
    with answering_once(answer) as (port, heard):
        api = Api("https://server.example", proxy=f"http://plant:p%40ss@127.0.0.1:{port}", credential=lambda: (key, ""))
        with pytest.raises(kind) as caught:
            api.call("GET", "/x", dict[str, str])
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert heard[0].startswith(b"CONNECT server.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic cGxhbnQ6cEBzcw==\r\n" in heard[0]


def test_a_proxy_that_never_answers_is_a_server_that_is_away(
    key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_api, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        api = Api("https://server.example", proxy=proxy, credential=lambda: (key, ""))
        with pytest.raises(ServerAway, match=r"server\.example: timed out"):
            api.call("GET", "/x", dict[str, str])


def test_a_server_without_tls_and_one_that_nobody_vouches_for_are_told_apart(
    server: Responder, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    plain = Api(server.url.replace("http:", "https:"), proxy="none", credential=lambda: (key, TOKEN))
    with pytest.raises(NoTls, match=r"^127\.0\.0\.1:\d+$"):
        plain.call("GET", "/x", dict[str, str])
    chain, private = Certificates(tmp_path).files("relay", "rel_aaaaaaaaaaaaaaaa")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=greet, args=(listener, context), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(NotTrusted, match="unable to get local issuer certificate") as caught:
            Api(url, proxy="none", credential=lambda: (key, TOKEN)).call("GET", "/x", dict[str, str])
    assert "--ca FILE" in (text_of(caught.value.code, why=str(caught.value)) or "")


def greet(listener: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError), listener.accept()[0] as visitor:
        context.wrap_socket(visitor, server_side=True)


def test_a_proxy_that_is_not_there_is_named_instead_of_the_server(key: Ed25519PrivateKey) -> None:
    api = Api("https://server.example", proxy="http://127.0.0.1:1", credential=lambda: (key, ""))
    with pytest.raises(ProxyRefused, match=r"127\.0\.0\.1:1 cannot be reached"):
        api.call("GET", "/x", dict[str, str])


@contextlib.contextmanager
def answering_once(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Somebody at a port who reads a request head, answers and hangs up: the port, and what was read."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        visitor, _ = listener.accept()
        with visitor:
            head = b""
            while b"\r\n\r\n" not in head:
                head += visitor.recv(4096)
            heard.append(head)
            visitor.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join(10)
