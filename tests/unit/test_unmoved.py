"""Images are taken to be as they were recorded only where nothing about them moved."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.app.fingerprinting import Fingerprinted, fingerprint_images
from orchestrator.app.opened import open_workspace, read_lock, read_lock_text
from orchestrator.errors import WorkspaceError
from orchestrator.lockfile import ImageLock
from orchestrator.model import Platform
from orchestrator.remembered.unmoved import Unmoved, shared_by_all
from tests.dockerfiles import prints_of
from tests.helpers import AMD64, ROOT, deb_of, write_lock, write_tree, write_workspace

ALL = {"a", "b", "c"}
RECIPE = f'from = "{ROOT}"\n[[files]]\nfrom = "src"\nto = "/app"\nexclude = ["*.log"]\n'
UNMOVED = "orchestrator.remembered.unmoved"


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write `a`, `b` on it, and `c` apart; their times count as settled at once."""
    real = time.time_ns
    later = "orchestrator.remembered.stamps.time.time_ns"
    monkeypatch.setattr(later, lambda: real() + 3600 * 10**9)
    copies = '[[files]]\nfrom = "//shared/one"\nto = "/one"\n'
    recipes = {"base/a": RECIPE, "base/b": 'from = "a"\n', "base/c": f'from = "{ROOT}"\n{copies}'}
    root = write_workspace(tmp_path / "ws", recipes)
    write_tree(root, {"base/a/src/x": "x", "base/a/src/sub/y": "y", "base/a/src/z.log": "z"})
    (root / "base/a/src/link").symlink_to("x")
    write_tree(root, {"shared/one": "1"})
    write_lock(root)
    (root / ".orch").mkdir()
    assert unread(root) == set()
    assert unread(root) == ALL
    return root


def look(root: Path, platform: Platform = AMD64) -> Fingerprinted:
    """Fingerprint a workspace of which the present fingerprints are recorded."""
    opened, recorded = open_workspace(root), prints_of(root)
    text = read_lock_text(opened) or ""
    shared = shared_by_all(platform, opened.workspace.settings, text)
    unmoved = Unmoved(opened.memory, root, shared, platform, recorded)
    made = fingerprint_images(opened, read_lock(opened), AMD64, opened.graph.images, unmoved)
    assert made.prints == recorded
    return made


def unread(root: Path, platform: Platform = AMD64) -> set[str]:
    """Return the images that were taken to be as recorded."""
    made = look(root, platform)
    return set(made.prints) - set(made.files)


def let_the_clock_tick(folder: Path) -> None:
    probe = folder / "probe"
    probe.touch()
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        os.utime(probe)
    probe.unlink()


def rewrite(ws: Path) -> None:
    times = (ws / "base/a/src/x").stat()
    (ws / "base/a/src/x").write_text("X")
    os.utime(ws / "base/a/src/x", ns=(times.st_atime_ns, times.st_mtime_ns))


def replace(ws: Path) -> None:
    times = (ws / "base/a/src/x").stat()
    (ws / "other").write_text("X")
    os.utime(ws / "other", ns=(times.st_atime_ns, times.st_mtime_ns))
    (ws / "other").replace(ws / "base/a/src/x")


def relink(ws: Path) -> None:
    (ws / "base/a/src/link").unlink()
    (ws / "base/a/src/link").symlink_to("sub/y")


EDITS: dict[str, Callable[[Path], object]] = {
    "same size, old time put back": rewrite,
    "another file of the same size and time": replace,
    "chmod +x": lambda ws: (ws / "base/a/src/x").chmod(0o755),
    "rename": lambda ws: (ws / "base/a/src/x").rename(ws / "base/a/src/w"),
    "moved to another folder": lambda ws: (ws / "base/a/src/x").rename(ws / "base/a/src/sub/x"),
    "folder renamed": lambda ws: (ws / "base/a/src/sub").rename(ws / "base/a/src/sub2"),
    "delete": lambda ws: (ws / "base/a/src/sub/y").unlink(),
    "new file": lambda ws: (ws / "base/a/src/sub/new").touch(),
    "link retargeted": relink,
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_is_seen_by_the_image_and_what_stands_on_it(
    ws: Path, edit: Callable[[Path], object]
) -> None:
    before = prints_of(ws)
    let_the_clock_tick(ws)
    edit(ws)
    if edit is EDITS["rename"] or edit is EDITS["moved to another folder"]:
        (ws / "base/a/src/link").unlink()
    assert prints_of(ws)["b"] != before["b"]
    assert unread(ws) == {"c"}
    assert unread(ws) == ALL


def test_a_touched_file_is_read_again_and_is_no_change_for_what_stands_on_it(ws: Path) -> None:
    let_the_clock_tick(ws)
    (ws / "base/a/src/x").touch()
    assert unread(ws) == {"b", "c"}


def test_what_a_recipe_excludes_may_move(ws: Path) -> None:
    let_the_clock_tick(ws)
    (ws / "base/a/src/z.log").write_text("other")
    (ws / "base/a/src/__pycache__").mkdir()
    (ws / "base/a/src/__pycache__/x.pyc").touch()
    assert unread(ws) == ALL


def test_a_single_file_that_is_copied_counts(ws: Path) -> None:
    let_the_clock_tick(ws)
    (ws / "shared/one").write_text("2")
    assert unread(ws) == {"a", "b"}


def test_a_recipe_that_says_something_else_is_seen(ws: Path) -> None:
    let_the_clock_tick(ws)
    (ws / "base/a/image.toml").write_text(RECIPE.replace("/app", "/etc"))
    assert unread(ws) == {"c"}


def test_a_parent_that_is_another_is_seen(ws: Path) -> None:
    let_the_clock_tick(ws)
    (ws / "base/b/image.toml").write_text('from = "c"\n')
    write_lock(ws)
    assert "b" not in unread(ws)


def test_another_lock_or_setting_or_platform_or_orch_is_seen_by_all(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lock(ws, {"c": ImageLock((deb_of("curl"),))})
    assert unread(ws) == set()
    settings = ws / "orch.toml"
    settings.write_text('source = "https://x"\n' + settings.read_text())
    assert unread(ws) == set()
    assert unread(ws, Platform("linux", "arm64")) == set()
    assert unread(ws) == ALL
    monkeypatch.setattr(f"{UNMOVED}.__version__", "99")
    assert unread(ws) == set()
    monkeypatch.setattr(f"{UNMOVED}.FINGERPRINT_VERSION", 99)
    assert unread(ws) == set()


def test_a_folder_that_became_a_link_out_of_the_workspace_is_refused(
    ws: Path, tmp_path: Path
) -> None:
    (ws / "base/a/src").rename(tmp_path / "outside")
    (ws / "base/a/src").symlink_to(tmp_path / "outside")
    with pytest.raises(WorkspaceError, match="leads out of the workspace"):
        look(ws)


def test_what_lies_below_a_link_is_always_read(ws: Path) -> None:
    (ws / "base/a/src").rename(ws / "base/a/real")
    (ws / "base/a/src").symlink_to("real")
    assert unread(ws) == {"b", "c"}
    assert unread(ws) == {"b", "c"}


def test_files_that_may_change_unseen_are_read_again(
    ws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = (ws / "base/a/src/x").stat().st_mtime_ns
    let_the_clock_tick(ws)
    (ws / "base/a/src/x").touch()
    monkeypatch.setattr("orchestrator.remembered.stamps.time.time_ns", lambda: newest + 10**9)
    assert unread(ws) == {"b", "c"}
    assert unread(ws) == {"b", "c"}


def test_a_fingerprint_that_is_not_the_recorded_one_is_not_taken(ws: Path) -> None:
    with closing(sqlite3.connect(ws / ".orch/files.db")) as database, database:
        database.execute(
            "UPDATE found SET value = 'damaged' WHERE subject = ?", (b"linux/amd64 a",)
        )
    assert unread(ws) == {"b", "c"}


def test_an_image_without_a_record_is_read(ws: Path) -> None:
    opened = open_workspace(ws)
    unmoved = Unmoved(opened.memory, ws, "shared", AMD64, {})
    assert unmoved.find(opened.graph.images["a"], {}) is None
