"""The commit that is checked out, read off git's own files.

To start git would take longer than all the rest of a build with nothing to do.
Source: gitrepository-layout(5), gitglossary(7) on refs, git-pack-refs(1).
"""

from __future__ import annotations

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def head_commit(root: Path) -> str:
    """Return the commit that is checked out around a folder; nothing where files do not tell."""
    try:
        folder = next(
            (_git_folder(up / ".git") for up in (root, *root.parents) if _is_git(up)), None
        )
        return _resolve(folder, "HEAD") if folder else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _is_git(folder: Path) -> bool:
    return (folder / ".git").exists()


def _git_folder(place: Path) -> Path:
    """Return the repository's folder; in submodules and further work trees a file names it."""
    if place.is_dir():
        return place
    return place.parent / place.read_text("utf-8").removeprefix("gitdir:").strip()


def _resolve(folder: Path, ref: str) -> str:
    text = _read_ref(folder, ref)
    if text.startswith("ref:"):
        text = _read_ref(folder, text.removeprefix("ref:").strip())
    return text if _COMMIT.fullmatch(text) else ""


def _read_ref(folder: Path, ref: str) -> str:
    """Return what a ref says: loose, in this work tree or in what it shares, else packed."""
    common = folder / "commondir"
    shared = folder / common.read_text("utf-8").strip() if common.is_file() else folder
    for place in dict.fromkeys((folder / ref, shared / ref)):
        if place.is_file():
            return place.read_text("utf-8").strip()
    packed = shared / "packed-refs"
    for line in packed.read_text("utf-8").splitlines() if packed.is_file() else ():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""
