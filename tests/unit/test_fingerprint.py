"""What reaches a recipe image's fingerprint, and what never does."""

from __future__ import annotations

import locale
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import LockError
from orchestrator.files import read_files
from orchestrator.fingerprint import Fingerprint, Input, fingerprint_recipe, hidden
from orchestrator.graph import build_graph
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import Recipe, Settings
from orchestrator.plan import compare_inputs
from orchestrator.resolve.inputs import check_lock
from orchestrator.workspace import read_workspace
from tests.helpers import (
    AMD64,
    ARM64,
    ROOT,
    deb_of,
    image_of,
    wheel_of,
    write_lock,
    write_tree,
    write_workspace,
)

COPY = "[[files]]\nfrom = 'src'\nto = '/app'\n"
TREE = {
    "base/a/src/run.sh": "echo run",
    "base/a/src/one/x.txt": "x",
    "base/a/src/two/y.txt": "y",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = write_workspace(
        tmp_path / "ws",
        {
            "base/a": f'from = "{ROOT}"\n{COPY}',
            "base/b": 'from = "a"\n',
            "services/c": 'from = "b"\n',
            "services/other": f'from = "{ROOT}"\n',
        },
    )
    write_tree(folder, TREE)
    (folder / "base/a/src/link").symlink_to("one/x.txt")
    return folder


def fingerprints(root: Path, lock: Lock | None = None) -> dict[str, str]:
    """Return the fingerprint of each image as it is on the disk now."""
    workspace = read_workspace(root)
    graph = build_graph(workspace)
    found: dict[str, Fingerprint] = {}
    for name, image in graph.images.items():
        found[name] = fingerprint_recipe(
            image,
            workspace.settings,
            AMD64,
            lock.image(name, AMD64) if lock else ImageLock(),
            read_files(workspace, image),
            {parent: found[parent] for parent in graph.parents[name]},
        )
    return {name: fingerprint.digest for name, fingerprint in found.items()}


def changed(root: Path, change: Callable[[Path], object]) -> set[str]:
    """Return the images whose fingerprint a change to `base/a/src` moves."""
    before = fingerprints(root)
    change(root / "base/a/src")
    after = fingerprints(root)
    return {name for name in before if before[name] != after.get(name)}


REACHED = {"a", "b", "c"}


def test_chmod_x_changes_the_fingerprint(root: Path) -> None:
    assert changed(root, lambda src: (src / "run.sh").chmod(0o755)) == REACHED


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o640, 0o644])
def test_other_mode_bits_do_not_change_the_fingerprint(root: Path, mode: int) -> None:
    assert changed(root, lambda src: (src / "run.sh").chmod(mode)) == set()


def test_touching_a_file_does_not_change_the_fingerprint(root: Path) -> None:
    assert changed(root, lambda src: os.utime(src / "run.sh", (0, 0))) == set()


def test_an_edit_of_equal_size_within_one_clock_tick_changes_the_fingerprint(root: Path) -> None:
    def edit(src: Path) -> None:
        times = (src / "run.sh").stat()
        (src / "run.sh").write_text("echo RUN")
        os.utime(src / "run.sh", ns=(times.st_atime_ns, times.st_mtime_ns))

    assert changed(root, edit) == REACHED


def test_a_retargeted_link_changes_the_fingerprint(root: Path) -> None:
    def retarget(src: Path) -> None:
        (src / "link").unlink()
        (src / "link").symlink_to("two/../one/x.txt")

    assert changed(root, retarget) == REACHED


def test_a_link_in_place_of_an_equal_file_changes_the_fingerprint(root: Path) -> None:
    def link(src: Path) -> None:
        (src / "link").unlink()
        shutil.copy(src / "one/x.txt", src / "link")

    assert changed(root, link) == REACHED


def test_the_owner_of_a_link_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = write_workspace(tmp_path, {"base/a": f'from = "{ROOT}"\n{COPY}'})
    (folder / "base/a/src").mkdir()
    (folder / "base/a/src/link").symlink_to("anywhere")
    before = fingerprints(folder)
    write_workspace(tmp_path, {"base/a": f'from = "{ROOT}"\n{COPY}owner = "app"\n'})
    assert fingerprints(folder) != before


def test_renaming_a_file_changes_the_fingerprint(root: Path) -> None:
    assert changed(root, lambda src: (src / "run.sh").rename(src / "start.sh")) == REACHED


def test_moving_a_file_between_folders_changes_the_fingerprint(root: Path) -> None:
    assert changed(root, lambda src: (src / "one/x.txt").rename(src / "two/x.txt")) == REACHED


def test_exchanging_two_files_changes_the_fingerprint(root: Path) -> None:
    def exchange(src: Path) -> None:
        (src / "one/x.txt").write_text("y")
        (src / "two/y.txt").write_text("x")

    assert changed(root, exchange) == REACHED


def test_deleting_a_file_changes_the_fingerprint(root: Path) -> None:
    assert changed(root, lambda src: (src / "run.sh").unlink()) == REACHED


def test_an_untracked_and_a_dirty_file_change_the_fingerprint(root: Path) -> None:
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(root), *arguments], check=True)
    assert changed(root, lambda src: (src / "new.txt").write_text("new")) == REACHED
    assert changed(root, lambda src: (src / "run.sh").write_text("dirty")) == REACHED


def test_what_git_does_does_not_change_the_fingerprint(root: Path) -> None:
    before = fingerprints(root)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(root), *arguments], check=True)
    assert fingerprints(root) == before


def test_the_fingerprint_does_not_hold_the_checkout_s_path(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "elsewhere" / "deeper", symlinks=True)
    assert fingerprints(tmp_path / "elsewhere" / "deeper") == fingerprints(root)


def test_the_umask_of_the_checkout_does_not_reach_the_fingerprint(tmp_path: Path) -> None:
    found = []
    for umask in (0o022, 0o077, 0o002):
        before = os.umask(umask)
        try:
            folder = write_workspace(tmp_path / f"{umask:o}", {"base/a": f"from='{ROOT}'\n{COPY}"})
            write_tree(folder, TREE)
            found.append(fingerprints(folder))
        finally:
            os.umask(before)
    assert found[0] == found[1] == found[2]


def test_locale_time_zone_and_user_do_not_reach_the_fingerprint(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"base/a/src/Z": "", "base/a/src/ä": "", "base/a/src/b": ""})
    before = fingerprints(root)
    found = locale.setlocale(locale.LC_ALL)
    for name, value in {"TZ": "Asia/Tokyo", "USER": "x", "HOME": "/x", "LC_ALL": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    try:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        assert fingerprints(root) == before
    finally:
        locale.setlocale(locale.LC_ALL, found)


def test_a_change_two_tiers_up_reaches_every_descendant_and_nobody_else(root: Path) -> None:
    assert changed(root, lambda src: (src / "run.sh").write_text("x")) == {"a", "b", "c"}


def test_pycache_does_not_change_the_fingerprint(root: Path) -> None:
    assert (
        changed(root, lambda src: write_tree(src, {"__pycache__/x.txt": "x", "y.pyc": "y"}))
        == set()
    )


def test_a_comment_in_a_recipe_does_not_change_the_fingerprint(root: Path) -> None:
    def comment(src: Path) -> None:
        recipe = src.parent / "image.toml"
        recipe.write_text("# why\n" + recipe.read_text())

    assert changed(root, comment) == set()


def test_a_gate_in_a_recipe_does_not_change_the_fingerprint(root: Path) -> None:
    def gate(src: Path) -> None:
        recipe = src.parent / "image.toml"
        recipe.write_text(recipe.read_text() + "[gates]\nmax-size = '1 GB'\n")

    assert changed(root, gate) == set()


def test_a_package_another_image_moves_does_not_change_the_fingerprint(root: Path) -> None:
    locked = {(name, AMD64): ImageLock() for name in ("a", "b", "c", "other")}
    before = fingerprints(root, Lock(images=locked))
    locked["other", AMD64] = ImageLock(debs=(deb_of("curl"),), wheels=(wheel_of("numpy"),))
    after = fingerprints(root, Lock(images=locked))
    assert {name for name in before if before[name] != after[name]} == {"other"}


def test_a_constraint_about_a_package_no_image_has_leaves_lock_and_fingerprints(
    root: Path,
) -> None:
    lock = write_lock(root)
    before = fingerprints(root, lock)
    (root / "constraints.txt").write_text("numpy<2\n")
    workspace = read_workspace(root)
    check_lock(workspace, build_graph(workspace), lock, AMD64)
    assert fingerprints(root, lock) == before


def test_a_constraint_that_a_locked_package_breaks_asks_for_a_new_lock(root: Path) -> None:
    lock = write_lock(root)
    images = dict(lock.images)
    images["other", AMD64] = replace(images["other", AMD64], wheels=(wheel_of("numpy", "2.1"),))
    (root / "constraints.txt").write_text("numpy<2\n")
    workspace = read_workspace(root)
    with pytest.raises(LockError, match="asked for by: other"):
        check_lock(workspace, build_graph(workspace), replace(lock, images=images), AMD64)


BASE = {
    "image": image_of("a"),
    "settings": Settings(Path("/ws/orch.toml")),
    "platform": AMD64,
    "adds": ImageLock((deb_of("curl"),), (wheel_of("numpy"),)),
    "files": (),
    "parents": {},
}


@pytest.mark.parametrize(
    "other",
    [
        {"platform": ARM64},
        {"image": image_of("b")},
        {"image": image_of("a", "debian:trixie")},
        {"image": replace(image_of("a"), recipe=Recipe(ROOT, summary="s"))},
        {"image": replace(image_of("a"), recipe=Recipe(ROOT, bytecode=False))},
        {"image": replace(image_of("a"), recipe=Recipe(ROOT, prefer={"x": "y"}))},
        {"settings": Settings(Path("/ws/orch.toml"), source="https://example.com")},
        {"adds": ImageLock((deb_of("curl", "2"),), (wheel_of("numpy"),))},
        {"adds": ImageLock((deb_of("curl"),), (wheel_of("numpy", "2"),))},
        {"adds": ImageLock((deb_of("curl"),), (wheel_of("numpy", tag="cp311-x"),))},
        {"adds": ImageLock((deb_of("curl"),), ())},
        {"parents": {"p": Fingerprint.of(())}},
    ],
)
def test_each_input_counts(other: dict[str, object]) -> None:
    before = fingerprint_recipe(**BASE)  # type: ignore[arg-type]
    after = fingerprint_recipe(**(BASE | other))  # type: ignore[arg-type]
    assert before.digest != after.digest


def test_the_order_of_inputs_does_not_count() -> None:
    one, two = Input("file", "a", "1"), Input("file", "b", "2")
    assert Fingerprint.of([one, two]) == Fingerprint.of([two, one])


def test_inputs_are_kept_apart_from_each_other() -> None:
    assert Fingerprint.of([Input("a", "bc", "d")]) != Fingerprint.of([Input("a", "b", "cd")])


FULL = """
from = "debian:bookworm"
summary = "a summary"
[config]
user = "1000"
workdir = "/app"
expose = ["8000", "53/udp"]
volumes = ["/data"]
stop-signal = "SIGINT"
entrypoint = ["serve"]
command = ["--fast"]
env = {PATH_PREFIX = "/x", OTHER = "y"}
labels = {team = "web"}
[healthcheck]
http = "http://127.0.0.1:8000/health"
"""


@pytest.mark.parametrize(
    ("line", "other", "reason"),
    [
        ('user = "1000"', 'user = "1001"', "recipe-changed config.user (1000 -> 1001)"),
        ('"/app"', '"/srv"', "recipe-changed config.workdir (/app -> /srv)"),
        ('["8000", ', '["8001", ', "recipe-changed config.expose (53/udp 8000 -> 53/udp 8001)"),
        ('["/data"]', "[]", "recipe-changed config.volumes (/data -> (none))"),
        ('"SIGINT"', '"SIGHUP"', "recipe-changed config.stop-signal (SIGINT -> SIGHUP)"),
        ('"a summary"', '"more"', "recipe-changed summary (a summary -> more)"),
        ('["serve"]', '["work"]', "recipe-changed entrypoint (DIGEST -> DIGEST)"),
        ('["serve"]', "[]", "recipe-changed entrypoint (DIGEST -> DIGEST)"),
        ('command = ["--fast"]', "", "recipe-changed command (DIGEST -> (none))"),
        ('"/x"', '"/y"', "recipe-changed env PATH_PREFIX (DIGEST -> DIGEST)"),
        (', OTHER = "y"', "", "recipe-changed env OTHER (DIGEST -> (none))"),
        ('"web"', '"ml"', "recipe-changed label team (DIGEST -> DIGEST)"),
        ("8000/health", "8000/live", "recipe-changed healthcheck.http (DIGEST -> DIGEST)"),
        (
            "[healthcheck]",
            "[healthcheck]\nretries = 4",
            "recipe-changed healthcheck.retries (3 -> 4)",
        ),
        ('["8000", "53/udp"]', '["53/udp", "8000"]', None),
        ('{PATH_PREFIX = "/x", OTHER = "y"}', '{OTHER = "y", PATH_PREFIX = "/x"}', None),
    ],
)
def test_each_field_of_a_recipe_is_an_input_of_its_own(
    tmp_path: Path, line: str, other: str, reason: str | None
) -> None:
    assert line in FULL
    before, after = (prints_of_recipe(tmp_path, text) for text in (FULL, FULL.replace(line, other)))
    found = [str(item) for item in compare_inputs(before.inputs, after.inputs)]
    assert [re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", item) for item in found] == (
        [reason] if reason else []
    )
    assert (before.digest == after.digest) == (reason is None)


def prints_of_recipe(root: Path, text: str) -> Fingerprint:
    workspace = read_workspace(write_workspace(root, {"base/a": text}))
    image = workspace.images["a"]
    return fingerprint_recipe(image, workspace.settings, AMD64, ImageLock(), (), {})


def test_a_hidden_value_has_a_digest_of_its_own_in_each_input_and_image() -> None:
    one = hidden(image_of("a"), "recipe", "env X", "hunter2")
    assert one == hidden(image_of("a"), "recipe", "env X", "hunter2")
    others = [
        hidden(image_of("a"), "recipe", "env X", "hunter3"),
        hidden(image_of("a"), "recipe", "env Y", "hunter2"),
        hidden(image_of("a"), "argument", "env X", "hunter2"),
        hidden(image_of("b"), "recipe", "env X", "hunter2"),
    ]
    assert len({one.value, *(other.value for other in others)}) == 5
