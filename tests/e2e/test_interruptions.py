"""A run that is interrupted, killed or out of space leaves what the next run carries on from."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path

import pytest

from tests.e2e.monorepo import ORCH, TIMEOUT_S, Monorepo
from tests.e2e.sessions import all_end, running


@pytest.fixture
def repo(big_template: Monorepo, tmp_path: Path) -> Monorepo:
    return big_template.copy(tmp_path / "repo")


def held_files(repo: Monorepo) -> dict[str, Path]:
    return {
        "first package": repo.debian.root / "pool/main/base-files_1.0_amd64.deb",
        "big package": repo.debian.root / "pool/main/bulk_1.0_amd64.deb",
        "big wheel": repo.python.files / "bulky-1.0-py3-none-any.whl",
        "last wheel": repo.python.files / "gamma-1.0-py3-none-any.whl",
    }


@pytest.mark.parametrize("held", ["first package", "big wheel", "last wheel"])
def test_ctrl_c_ends_in_order(repo: Monorepo, expected: dict[str, str], held: str) -> None:
    report = repo.home / "interrupted.json"
    with (
        repo.server.holding(held_files(repo)[held]) as gate,
        running(repo, "--report", str(report)) as process,
    ):
        assert gate.asked.wait(TIMEOUT_S)
        os.killpg(process.pid, signal.SIGINT)
        gate.open.set()
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert all_end(process.pid)
    assert '"cancelled"' in report.read_text()
    repo.check_intact()
    assert repo.digests() == expected


def test_a_second_ctrl_c_changes_nothing_of_that(repo: Monorepo, expected: dict[str, str]) -> None:
    with repo.server.holding(held_files(repo)["big wheel"]) as gate, running(repo) as process:
        assert gate.asked.wait(TIMEOUT_S)
        os.killpg(process.pid, signal.SIGINT)
        os.killpg(process.pid, signal.SIGINT)
        gate.open.set()
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert all_end(process.pid)
    assert repo.digests() == expected


@pytest.mark.parametrize("held", ["first package", "big package", "big wheel", "last wheel"])
def test_a_killed_build_is_carried_on(repo: Monorepo, expected: dict[str, str], held: str) -> None:
    with repo.server.holding(held_files(repo)[held]) as gate, running(repo) as process:
        assert gate.asked.wait(TIMEOUT_S)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(TIMEOUT_S) == -signal.SIGKILL
    repo.check_intact()
    assert repo.digests() == expected


@pytest.mark.parametrize("lines", range(1, 7))
def test_a_build_killed_after_any_line_is_carried_on(
    repo: Monorepo, expected: dict[str, str], lines: int
) -> None:
    with running(repo) as process:
        assert process.stderr is not None
        for _ in range(lines):
            process.stderr.readline()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT_S)
    repo.check_intact()
    assert repo.digests() == expected


class TestFullDisk:
    """Run with a small file system of its own, mounted where no other process sees it."""

    def run(self, repo: Monorepo, full: Path, size: str) -> tuple[list[str], str]:
        """Build with `full` too small, then with space; return the exit codes and what was said."""
        build = shlex.join([str(ORCH), "build"])
        full.mkdir(parents=True, exist_ok=True)
        script = (
            f"mount -t tmpfs -o size={size} none {shlex.quote(str(full))} || exit 99\n"
            f"{build}; echo code=$?\n"
            f"mount -o remount,size=512m {shlex.quote(str(full))} || exit 99\n"
            f"{build}; echo code=$?\n"
            f"cp -r {shlex.quote(str(repo.layout))} {shlex.quote(str(repo.home / 'kept'))}\n"
        )
        done = repo.run_with_mounts(script)
        return done.stdout.split(), done.stderr

    @pytest.mark.parametrize("size", ["4k", "200k", "8m", "30m", "60m"])
    def test_a_full_cache_is_one_error_and_the_next_run_carries_on(
        self, repo: Monorepo, expected: dict[str, str], size: str
    ) -> None:
        codes, said = self.run(repo, repo.cache, size)
        assert codes == ["code=1", "code=0"], said
        assert "Traceback" not in said
        assert "no space left while writing" in said
        assert "ORCH_CACHE moves the cache" in said
        self.check(repo, expected)

    @pytest.mark.parametrize("size", ["4k", "16k", "8m", "30m"])
    def test_a_full_workspace_is_one_error_and_the_next_run_carries_on(
        self, repo: Monorepo, expected: dict[str, str], size: str
    ) -> None:
        codes, said = self.run(repo, repo.root / ".orch", size)
        assert codes == ["code=1", "code=0"], said
        assert "Traceback" not in said
        assert "no space left" in said
        self.check(repo, expected)

    def check(self, repo: Monorepo, expected: dict[str, str]) -> None:
        (repo.home / "kept").rename(
            repo.root / ".orch/layout"
        ) if not repo.layout.exists() else None
        repo.check_intact()
        assert repo.digests() == expected
