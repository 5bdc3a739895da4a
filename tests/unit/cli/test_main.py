# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from pathlib import Path

import pytest

from portineria import __version__
from portineria.cli import version
from portineria.cli.main import GROUPS, VERBS, main, module_of, parser, status_of
from portineria.core.errors import Conflict, Denied, Invalid, NotFound, PortineriaError, ProtocolError, Unavailable


def test_every_verb_says_what_it_is_for() -> None:
    shown = " ".join(parser().format_help().split())
    for name in VERBS:
        module = module_of(name)
        purpose = (module.__doc__ or "").partition(": ")[2].splitlines()[0].rstrip(".")
        assert module.__doc__ is not None
        assert module.__doc__.startswith(f"portineria {name}: ")
        assert purpose in shown


def test_a_verb_looks_the_same_without_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    whole = parser()
    for verb in VERBS:
        shown = []
        for one in (whole, parser(verb)):
            for word in ("--help", "--no-such-option"):
                with pytest.raises(SystemExit):
                    one.parse_args([verb, word])
            shown.append(capsys.readouterr())
        assert shown[0] == shown[1], verb


def test_a_command_loads_no_other_command() -> None:
    program = "import sys; from portineria.cli.main import main; main(['version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = {name for name in done.stdout.split() if name.startswith("portineria.cli.")}
    assert loaded == {"portineria.cli.main", "portineria.cli.screen", "portineria.cli.version"}


@pytest.mark.parametrize(
    ("error", "status"),
    [(Denied(), 1), (NotFound(), 1), (Conflict(), 1), (ProtocolError(), 1), (Invalid(), 2), (Unavailable(), 3)],
)
def test_the_exit_status_tells_the_kind_of_failure(error: PortineriaError, status: int) -> None:
    assert status_of(error) == status


def test_a_command_that_works_ends_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"portineria {__version__}\n"


@pytest.mark.parametrize(
    "argv", [[], ["dance"], ["cut", "ses_1"], ["request", "press"], ["request", "p", "--start", "soon"]]
)
def test_a_command_line_that_makes_no_sense_ends_with_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_who_types_no_verb_reads_all_of_them_by_who_uses_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    shown = said.err.splitlines()
    places = [shown.index(f"{who}:") for who in GROUPS]
    assert places == sorted(places)
    for (who, verbs), start in zip(GROUPS.items(), places, strict=True):
        listed = [line.split()[0] for line in shown[start + 1 : start + 1 + len(verbs)]]
        assert listed == list(verbs), who
    assert max(map(len, shown)) < 120


@pytest.mark.parametrize(
    ("group", "acts"),
    [
        ("gateway", ["enrol", "run", "status", "register", "repin", "unit", "reach", "recipients", "emergency", "cut"]),
        ("person", ["disable", "enable", "reset-second-factor", "invite-again", "erase"]),
        ("rule", ["list", "end"]),
    ],
)
def test_a_group_of_verbs_lists_them_too(group: str, acts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([group])
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    listed = [line.split() for line in lines if line.startswith("    ") and line[4:5].strip()]
    assert [words[0] for words in listed] == acts
    assert all(
        len(words) > 1 or words[0] in ("reset-second-factor", "invite-again", "recipients", "emergency")
        for words in listed
    )


@pytest.mark.parametrize("verb", ["machines", "sessions", "connect", "cut", "request"])
def test_who_is_not_signed_in_is_told_how(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"connect": ["p"], "cut": ["s", "--reason", "r"], "request": ["p", "--reason", "r"]}.get(verb, [])
    assert main([verb, *more, "--state", str(tmp_path)]) == 1
    assert "portineria login https://your-server" in capsys.readouterr().err


def test_plain_http_to_another_computer_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["login", "http://portineria.example", "--state", str(tmp_path)]) == 2
    assert "https" in capsys.readouterr().err


def test_what_nobody_foresaw_is_logged_and_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_args: object) -> int:
        raise ZeroDivisionError("in the middle")

    monkeypatch.setattr(version, "run", broken)
    assert main(["version"]) == 1
    err = capsys.readouterr().err
    assert "in the middle" in err
    assert json.loads(err.splitlines()[0])["event"] == "cli.broken"


def test_control_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(version, "run", interrupted)
    assert main(["version"]) == 130
