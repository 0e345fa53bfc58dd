"""Checks of the file systems that images and the cache are on; what they write they remove."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.fitness.finding import Finding, fail, ok, warn
from orchestrator.fitness.machine import existing

_ATTRIBUTE = "user.orch-doctor"


def check_filesystem(check: str, folder: Path) -> list[Finding]:
    """Check what is asked of the file system of a folder: it is ok, or each thing that lacks."""
    try:
        with _scratch(folder) as scratch:
            found = [problem for probe in _PROBES if (problem := probe(check, scratch))]
    except OSError as error:
        hint = "give this user the right to write there, or move it: ORCH_CACHE moves the cache"
        return [fail(check, f"{folder} cannot be written to: {error.strerror}", hint)]
    return found or [ok(check, f"{folder}: flock, rename, links, attributes, letter case")]


def check_links(cache: Path, layout: Path) -> Finding:
    """Check that the layout can have layers of the cache as second names of one file."""
    try:
        with _scratch(cache) as one, _scratch(layout) as other:
            (one / "file").write_bytes(b"")
            (other / "link").hardlink_to(one / "file")
    except OSError as error:
        return warn(
            "hard-links",
            f"layers are copied from {cache} to {layout}: {error.strerror}",
            "put both on one file system that has hard links; ORCH_CACHE moves the cache",
        )
    return ok("hard-links", "layers are linked from the cache, not copied")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=existing(folder), prefix=".orch-doctor-") as name:
        yield Path(name)


def _lacks_flock(check: str, folder: Path) -> Finding | None:
    """Look whether a lock keeps another opener out."""
    hint = "use a local file system: without flock runs at the same time disturb each other"
    with (folder / "lock").open("wb") as one, (folder / "lock").open("rb") as other:
        try:
            fcntl.flock(one, fcntl.LOCK_EX)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        except OSError as error:
            return fail(check, f"files cannot be locked: {error.strerror}", hint)
    return fail(check, "locks keep nobody out", hint)


def _lacks_rename(check: str, folder: Path) -> Finding | None:
    old, new = folder / "old", folder / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    try:
        new.replace(old)
    except OSError as error:
        problem = error.strerror
    else:
        if old.read_bytes() == b"new" and not new.exists():
            return None
        problem = "the old file is still there"
    return fail(
        check,
        f"a file cannot take another's place: {problem}",
        "use a local file system: what is written must be there whole or not at all",
    )


def _lacks_symlinks(check: str, folder: Path) -> Finding | None:
    try:
        (folder / "link").symlink_to("nowhere")
    except OSError as error:
        hint = "use a file system that has them: packages are unpacked there"
        return fail(check, f"there are no symbolic links: {error.strerror}", hint)
    return None


def _lacks_execution(check: str, folder: Path) -> Finding | None:
    if not os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return None
    hint = "mount it without noexec, or set bytecode = false in recipes"
    return warn(check, "programs cannot be run there, and images' own Python compiles there", hint)


def _lacks_case(check: str, folder: Path) -> Finding | None:
    (folder / "case").write_bytes(b"")
    if not (folder / "CASE").exists():
        return None
    hint = "use a file system that tells a from A: packages have files that differ by that alone"
    return warn(check, "upper and lower case are one", hint)


def _lacks_attributes(check: str, folder: Path) -> Finding | None:
    file = folder / "attributes"
    file.write_bytes(b"")
    try:
        os.setxattr(file, _ATTRIBUTE, b"x")
    except OSError as error:
        hint = "what needs none, as recipes do, works; a Docker engine wants them on its own disk"
        return warn(check, f"files have no extended attributes: {error.strerror}", hint)
    return None


_PROBES: tuple[Callable[[str, Path], Finding | None], ...] = (
    _lacks_flock,
    _lacks_rename,
    _lacks_symlinks,
    _lacks_execution,
    _lacks_case,
    _lacks_attributes,
)
