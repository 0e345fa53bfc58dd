"""orch as users run it who are not root, with a home that they may not write to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import orchestrator
from tests.conftest import give_up
from tests.e2e.monorepo import IMAGES, ORCH, TIMEOUT_S, Monorepo
from tests.real.parts import MissingPartError, find_tool

POWERLESS = ("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
NOBODY = (*POWERLESS, "--reuid=65534", "--regid=65534", "--clear-groups")
_NO_MOUNT = 99


@pytest.fixture
def setpriv() -> str:
    if os.getuid() != 0:
        give_up(MissingPartError("root", "who becomes another user"))
    try:
        return str(find_tool("setpriv"))
    except MissingPartError as missing:
        give_up(missing)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Return a home that nobody without root's powers can write to."""
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def run(
    repo: Monorepo, home: Path, words: tuple[str, ...], *more: str, umask: int = 0o022, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*words, ORCH, *more],
        cwd=repo.root,
        env={**repo.environment(**env), "HOME": str(home)},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def test_without_root_s_powers_and_with_a_read_only_home_all_is_built(
    repo: Monorepo, home: Path, setpriv: str, undisturbed: dict[str, str]
) -> None:
    for verb in (("lock",), ("build", "--report", "report.json"), ("plan",), ("history",)):
        done = run(repo, home, (setpriv, *POWERLESS), *verb)
        assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == []
    assert repo.digests() == undisturbed


def test_another_user_builds_the_same(
    repo: Monorepo, home: Path, setpriv: str, undisturbed: dict[str, str]
) -> None:
    for path in (repo.root, *repo.root.rglob("*")):
        os.chown(path, 65534, 65534)
    repo.cache.mkdir()
    os.chown(repo.cache, 65534, 65534)
    source = Path(orchestrator.__file__).parent
    entering = entering_all(Path(sys.prefix), Path(sys.base_prefix), source, repo.home, home)
    done = run(repo, home, (*entering, setpriv, *NOBODY), "build", "--report", "report.json")
    if "unshare failed" in done.stderr or done.returncode == _NO_MOUNT:
        give_up(MissingPartError("a mount namespace", done.stderr.strip()))
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in repo.layout.rglob("*")} == {65534}
    assert repo.digests() == undisturbed


def entering_all(*needed: Path) -> list[str]:
    """Return the words before a command that let any user enter these folders.

    Python, or what pytest makes, may be in a home that is its user's alone. What is closed has
    in its place, for the command, an open folder that has what is needed and nothing else.
    """
    closed = {top: number for number, path in enumerate(needed) if (top := _closed_above(path))}
    steps = ["mount -t tmpfs none /mnt"]
    for top, number in closed.items():
        steps += [f"mkdir /mnt/{number}", f"mount --rbind {top} /mnt/{number}"]
        steps.append(f"mount -t tmpfs -o mode=755 none {top}")
        for path in needed:
            if path.is_relative_to(top):
                aside = f"/mnt/{number}/{path.relative_to(top)}"
                steps += [f"mkdir -p {path}", f"mount --rbind {aside} {path}"]
    script = f'{{ {" && ".join(steps)}; }} || exit {_NO_MOUNT}; cd "$PWD" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


def _closed_above(path: Path) -> Path | None:
    """Return the highest folder above one that others may not enter."""
    above = (folder for folder in reversed(path.parents))
    return next((one for one in above if not one.stat().st_mode & stat.S_IXOTH), None)


def test_a_home_without_a_cache_that_can_be_written_is_an_error_with_the_way_out(
    repo: Monorepo, home: Path, setpriv: str
) -> None:
    done = run(repo, home, (setpriv, *POWERLESS), "build", ORCH_CACHE="")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(home) in done.stderr
    assert "ORCH_CACHE" in done.stderr


@pytest.mark.parametrize("umask", [0o002, 0o027, 0o077])
def test_what_is_kept_is_readable_as_the_umask_says(repo: Monorepo, umask: int) -> None:
    home = repo.home / "own"
    home.mkdir()
    for verb in ("lock", "build"):
        done = run(repo, home, (), verb, umask=umask)
        assert done.returncode == 0, done.stderr
    kept = [*repo.path(".orch").rglob("*"), *repo.cache.rglob("*")]
    uv = repo.cache / "uv"  # whose own affair it is
    files = [path for path in kept if path.is_file() and not path.is_relative_to(uv)]
    assert len(files) > len(IMAGES)
    wrong = {
        str(path): oct(path.stat().st_mode & 0o777)
        for path in files
        if path.stat().st_mode & 0o666 != 0o666 & ~umask
        and path.stat().st_mode & 0o666 != 0o644 & ~umask
    }
    assert not wrong
