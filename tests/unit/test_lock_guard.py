"""Runs that write the lock wait for each other."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.app.locking import lock
from orchestrator.app.opened import open_workspace, writing_lock
from tests.helpers import ROOT, write_workspace


class RefusedError(Exception):
    """Another run writes the lock."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_workspace(tmp_path / "ws", {"base/a": f'from = "{ROOT}"\n'})


def try_to_write(root: Path) -> Callable[[str], None]:
    """Return what ends a run with an error if nobody else could write the lock during it."""

    def attempt(_: str) -> None:
        with (root / ".orch/lock.guard").open("ab") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError from None

    return attempt


def test_nobody_else_writes_the_lock_while_it_is_resolved(root: Path, orch_cache: Path) -> None:
    with pytest.raises(RefusedError):
        lock(root, progress=try_to_write(root))


def test_a_lock_that_failed_lets_others_write(root: Path, orch_cache: Path) -> None:
    with pytest.raises(RefusedError):
        lock(root, progress=try_to_write(root))
    with writing_lock(open_workspace(root)):
        pass


def test_a_dry_run_keeps_nobody_waiting(root: Path, orch_cache: Path) -> None:
    with writing_lock(open_workspace(root)), pytest.raises(RefusedError):
        lock(root, dry_run=True, progress=try_to_write(root))
