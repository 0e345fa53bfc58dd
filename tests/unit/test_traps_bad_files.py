"""Files that cannot be read, change while they are read or are huge, for both definitions."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.remembered import digests
from tests.dockerfiles import prints_of
from tests.helpers import ROOT, write_lock, write_tree
from tests.verbs import run_orch

DEFINITIONS = {
    "recipe": ("image.toml", f'from = "{ROOT}"\n[[files]]\nfrom = "src"\nto = "/app"\n'),
    "Dockerfile": ("Dockerfile", "FROM scratch\nCOPY src /app\n"),
}
HUGE_BYTES, ENOUGH_BYTES = 300_000_000, 150_000_000
AND_TELL_ITS_MEMORY = """
import pathlib, sys
from orchestrator.cli import main
try:
    main(sys.argv[1:])
finally:
    print(pathlib.Path("/proc/self/status").read_text())
"""


@pytest.fixture(params=DEFINITIONS)
def ws(request: pytest.FixtureRequest, tmp_path: Path, orch_cache: Path) -> Path:
    """Write a workspace of one image."""
    name, text = DEFINITIONS[request.param]
    files = {"orch.toml": "[debian]\nessential = []\n", f"base/a/{name}": text}
    root = write_tree(tmp_path / "ws", {**files, "base/a/src/sub/x.txt": "x"})
    write_lock(root)
    return root


def refused(ws: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Plan, which must end with 2 and without a traceback; return what is said."""
    ran = run_orch(capsys, "-C", ws, "plan")
    assert ran.code == 2
    return ran.err


def test_an_unreadable_file_is_an_error_that_names_it(
    ws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(digests, "_read_digest", refuse)
    assert f"error: {ws}/base/a/src/sub/x.txt: cannot be read: Permission" in refused(ws, capsys)


def test_an_unreadable_folder_is_an_error_that_names_it(
    ws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scandir = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("src/sub"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert f"error: {ws}/base/a/src/sub: cannot be read: Permission" in refused(ws, capsys)


def write_while_it_is_read(monkeypatch: pytest.MonkeyPatch, texts: list[str]) -> None:
    """Have the next of these texts written to a file whenever it has just been read."""
    file_digest = hashlib.file_digest

    def digest(file: object, name: str) -> object:
        made = file_digest(file, name)  # type: ignore[arg-type]
        if texts:
            Path(file.name).write_text(texts.pop())  # type: ignore[attr-defined]
        return made

    monkeypatch.setattr(hashlib, "file_digest", digest)


def test_a_file_that_changes_while_it_is_read_is_read_again(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(ws, {"base/a/src/sub/x.txt": "later"})
    expected = prints_of(ws)
    write_tree(ws, {"base/a/src/sub/x.txt": "x"})
    write_while_it_is_read(monkeypatch, ["later"])
    assert prints_of(ws) == expected


def test_a_file_that_does_not_stop_changing_is_an_error(
    ws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_while_it_is_read(monkeypatch, ["123", "12"])
    said = refused(ws, capsys)
    assert f"error: {ws}/base/a/src/sub/x.txt: changes while it is being read" in said
    assert "hint: run again" in said


@pytest.mark.parametrize("verb", ["plan", "build"])
def test_a_huge_file_is_streamed(ws: Path, verb: str) -> None:
    with (ws / "base/a/src/huge").open("wb") as file:
        file.truncate(HUGE_BYTES)
    command = [sys.executable, "-c", AND_TELL_ITS_MEMORY, "-C", str(ws), verb]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak_kilobytes = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert peak_kilobytes
    assert int(peak_kilobytes[1]) * 1024 < ENOUGH_BYTES
