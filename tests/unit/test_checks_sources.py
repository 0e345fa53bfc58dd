"""The files that rules read: each once, and none from outside."""

from __future__ import annotations

from pathlib import Path

from orchestrator.checks.sources import Sources
from tests.helpers import write_tree


def test_files_outside_large_files_and_bytes_have_no_text(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "ws", {"a.txt": "a", "big": "x" * 5_000_000})
    (tmp_path / "out").write_text("secret")
    (root / "bytes").write_bytes(b"\xff")
    (root / "link").symlink_to("../out")
    sources = Sources(root)
    assert sources.text("a.txt") == "a"
    for path in ("big", "bytes", "link", "../out", "missing", "."):
        assert sources.text(path) is None
    assert sources.read == ("a.txt",)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    sources = Sources(write_tree(tmp_path, {"a": "1"}))
    assert sources.text("a") == "1"
    (tmp_path / "a").unlink()
    assert sources.text("./a") == "1"


def test_folders_of_tools_and_hidden_ones_are_not_walked(tmp_path: Path) -> None:
    names = ("a.yaml", "x/b.yaml", ".git/c.yaml", "node_modules/d.yaml", "x/e.txt")
    sources = Sources(write_tree(tmp_path, dict.fromkeys(names, "")))
    assert list(sources.paths(".yaml", ".yml")) == ["a.yaml", "x/b.yaml"]
