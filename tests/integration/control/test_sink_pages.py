# SPDX-License-Identifier: Apache-2.0
"""Sinks in the console: set up, tried, paused, sent once more, removed; secrets are never shown again."""

from __future__ import annotations

import socket
import threading

import pytest
from django.utils import timezone

from portineria.control.audit.models import Event
from portineria.control.settings.start import current
from portineria.control.sinks import progress
from portineria.control.sinks.models import DeadLetter, Sink
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import World
from tests.integration.sinks.certificates import Authority

CHOSEN = {"severity": "6", "personal": "none", "begin": "now"}


def receiver(lines: list[bytes]) -> tuple[int, threading.Thread]:
    """Takes one connection to its end."""
    listening = socket.create_server(("127.0.0.1", 0))

    def take() -> None:
        with listening, listening.accept()[0] as line:
            while part := line.recv(65536):
                lines.append(part)

    thread = threading.Thread(target=take)
    thread.start()
    return listening.getsockname()[1], thread


def test_a_sink_is_set_up_tried_and_removed(world: World) -> None:
    owner, lines = signed_in(world.owner), list[bytes]()
    assert "?kind=cef" in shown(owner, "/sinks/add/")
    assert "PEM" in shown(owner, "/sinks/add/?kind=cef")
    port, thread = receiver(lines)
    form = {**CHOSEN, "name": "SOC", "organisation": world.organisation, "codes": ["session."],
            "setting_host": "127.0.0.1", "setting_port": str(port), "setting_transport": "tcp"}  # fmt: skip
    answer = owner.post("/sinks/add/?kind=cef", form)
    sink = Sink.objects.get()
    assert answer.headers["Location"] == f"/sinks/{sink.public_id}/"
    assert sink.codes == ["session.", "order.", "recording."]
    assert "SOC" in shown(owner, "/sinks/")
    page = owner.post(f"/sinks/{sink.public_id}/test/", follow=True).content.decode()
    thread.join(20)
    assert "the receiver took it" in page
    assert b"CEF:0|Portineria|Portineria|" in b"".join(lines)
    assert "did not arrive" in owner.post(f"/sinks/{sink.public_id}/test/", follow=True).content.decode()
    owner.post(f"/sinks/{sink.public_id}/pause/")
    assert "paused" in shown(owner, f"/sinks/{sink.public_id}/")
    assert progress.due() == []
    owner.post(f"/sinks/{sink.public_id}/pause/")
    assert progress.due() == [sink.pk]
    owner.post(f"/sinks/{sink.public_id}/replay/", {"day": f"{timezone.localdate():%Y-%m-%d}"})
    sink.refresh_from_db()
    assert sink.delivered == 0
    DeadLetter.objects.create(sink=sink, seq=1, why="HTTP 400")
    assert "HTTP 400" in shown(owner, f"/sinks/{sink.public_id}/")
    owner.post(f"/sinks/{sink.public_id}/again/")
    owner.post(f"/sinks/{sink.public_id}/remove/")
    assert not Sink.objects.exists()
    told = Event.objects.filter(organisation=world.organisation, code__startswith="sinks.").order_by("seq")
    assert list(told.values_list("code", flat=True)) == [
        f"sinks.sink.{what}"
        for what in ("added", "tested", "tested", "paused", "resumed", "replayed", "replayed", "removed")
    ]


@pytest.mark.sqlite
def test_files_are_written_below_the_folder_of_the_server_and_nowhere_without_one(world: World) -> None:
    owner, folder = signed_in(world.owner), current().sink_folder
    assert folder is not None
    form = {**CHOSEN, "name": "Files", "organisation": world.organisation, "setting_file": "soc",
            "setting_format": "ocsf", "setting_size_mib": "1", "setting_files": "2"}  # fmt: skip
    assert "Letters, digits" in owner.post("/sinks/add/?kind=file", {**form, "setting_file": "../x"}).content.decode()
    owner.post("/sinks/add/?kind=file", form)
    sink = Sink.objects.get()
    page = owner.post(f"/sinks/{sink.public_id}/test/", follow=True).content.decode()
    assert "the receiver took it" in page
    [file] = folder.rglob("*.log")
    assert file == folder / world.organisation / "soc-000001.log"
    assert b'"sinks.sink.tested"' in file.read_bytes()
    moved = folder.rename(folder.with_name("elsewhere"))
    try:
        assert "set no folder" in owner.post("/sinks/add/?kind=file", {**form, "name": "More"}).content.decode()
    finally:
        moved.rename(folder)
    assert Sink.objects.count() == 1


def test_what_does_not_fit_is_said_beside_it_and_a_key_is_kept_sealed(world: World) -> None:
    owner, authority = signed_in(world.owner), Authority()
    certificate, key = authority.issue("portineria")
    _other, wrong = authority.issue("portineria")
    form = {**CHOSEN, "name": "SOC", "organisation": world.organisation, "setting_host": "siem.example",
            "setting_port": "6514", "setting_transport": "tls", "setting_certificate": certificate}  # fmt: skip
    for setting, value, said in [
        ("host", "siem.example:514", "without a port"), ("port", "0", "1 to 65535"),
        ("certificate", "PEM", "no certificate"), ("key", wrong, "that of another certificate"),
    ]:  # fmt: skip
        assert said in owner.post("/sinks/add/?kind=syslog", {**form, f"setting_{setting}": value}).content.decode()
    assert not Sink.objects.exists()
    owner.post("/sinks/add/?kind=syslog", {**form, "setting_key": key})
    sink = Sink.objects.get()
    assert "PRIVATE" not in str(sink.settings)
    assert b"PRIVATE" not in bytes(sink.wrapped)
    assert "PRIVATE" not in shown(owner, f"/sinks/{sink.public_id}/")


def test_who_does_not_administer_looks_and_changes_nothing(world: World) -> None:
    form = {**CHOSEN, "name": "SOC", "organisation": world.organisation,
            "setting_host": "127.0.0.1", "setting_port": "9", "setting_transport": "tcp"}  # fmt: skip
    signed_in(world.owner).post("/sinks/add/?kind=leef", form)
    sink = Sink.objects.get()
    operator = signed_in(world.operator)
    assert "Send a test event" not in shown(operator, f"/sinks/{sink.public_id}/")
    for act in ("test", "pause", "again", "replay", "remove"):
        assert operator.post(f"/sinks/{sink.public_id}/{act}/", {"day": "2026-01-01"}).status_code == 403
    assert operator.post("/sinks/add/?kind=leef", form).status_code == 403
    assert signed_in(world.technician).get("/sinks/").status_code == 404
    stranger = signed_in(world.stranger)
    assert stranger.post("/sinks/add/?kind=leef", {**form, "name": "x"}).status_code == 200  # no choice of theirs
    assert Sink.objects.count() == 1
