"""`orch fsck`: whether what is kept on this machine is what it should be; dropping what is not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from orchestrator.database import Database
from orchestrator.errors import OrchError
from orchestrator.fsck.contents import check_contents, find_contents
from orchestrator.fsck.documents import check_documents, check_segment, find_segments
from orchestrator.fsck.finding import Checked, Finding, Where
from orchestrator.fsck.images import check_images
from orchestrator.fsck.records import check_records
from orchestrator.oci.layout import Layout
from orchestrator.paths import Paths
from orchestrator.settings import find_settings
from orchestrator.usage import working_in


class CheckObserver(Protocol):
    """Watches a check; called from several threads."""

    def begun(self, files: int, size_bytes: int) -> None:
        """Take note of how much is to be read."""
        ...

    def read(self, size_bytes: int) -> None:
        """Take note of how much more was read."""
        ...


def places_of(directory: Path) -> Paths:
    """Return what is kept for the workspace around a folder, whose recipes are not read.

    Raises:
        WorkspaceError: There is no workspace.
    """
    file, _ = find_settings(directory.resolve())
    return Paths.of(file.parent)


def check_kept(paths: Paths, observer: CheckObserver) -> Checked:
    """Read everything that is kept, and find what is not what it should be.

    Other runs may go on meanwhile, `orch gc` waits: files come and go whole.
    """
    with _undisturbed(paths):
        contents, segments = find_contents(paths), find_segments(paths.cache)
        size_bytes = sum({kept.inode: kept.size_bytes for kept in contents}.values())
        size_bytes += sum(_size_of(file.with_suffix(".gz")) for file in segments)
        observer.begun(len(contents) + len(segments), size_bytes)
        findings = check_contents(contents, observer.read, os.cpu_count() or 1)
        bad = frozenset(finding.path for finding in findings)
        findings += check_images(paths, bad)
        findings += [item for file in segments for item in check_segment(file, observer.read)]
        findings += check_documents(paths)
        findings += check_records(paths)
    return Checked(len(contents) + len(segments), size_bytes, tuple(findings))


def repair(paths: Paths, findings: Iterable[Finding]) -> dict[Finding, str]:
    """Drop what is bad; return what could not be dropped, and why.

    The next build makes anew what it needs of that.
    """
    left: dict[Finding, str] = {}
    with _undisturbed(paths):
        for finding in findings:
            try:
                _drop(paths, finding)
            except (OSError, OrchError) as error:
                left[finding] = str(error)
    return left


def _drop(paths: Paths, finding: Finding) -> None:
    for item in finding.drops:
        item.drop()
    if finding.path == paths.database:
        Database(paths.database).put_aside()
    if finding.where is Where.LAYOUT and finding.path.parent == paths.layout:
        Layout(paths.layout).unname({finding.unname})


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


@contextmanager
def _undisturbed(paths: Paths) -> Iterator[None]:
    with working_in(*(folder for folder in (paths.state, paths.cache) if folder.is_dir())):
        yield
