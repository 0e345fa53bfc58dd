"""Contexts are staged whole, and their times follow from what files hold."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from orchestrator.context import read_context, read_named_contexts
from orchestrator.engines.buildkit.staging import Source, staged, time_of
from orchestrator.errors import OrchError
from orchestrator.model import Image
from tests.dockerfiles import workspace_of
from tests.helpers import write_tree

FILES = {
    "services/api/Dockerfile": "FROM debian:12\nCOPY . /app\n",
    "services/api/main.py": "main",
    "services/api/deep/er/x": "x",
    "services/api/left-out": "no",
    "services/api/.dockerignore": "left-out\n",
}


class House:
    """A workspace with one image, and where it is staged."""

    def __init__(self, root: Path, settings: str = "") -> None:
        self.opened = workspace_of(root / "ws", FILES, settings)
        self.folder = root / "staged"
        self.root = root / "ws"

    @property
    def image(self) -> Image:
        return self.opened.workspace.images["api"]

    def stage(self) -> dict[str, tuple[str, int, int]]:
        """Stage the image; return each file's content, mode and time by its path."""
        files = read_context(self.opened.workspace, self.image)
        return self.stage_these(Source(self.root / "services/api", files))

    def stage_these(self, source: Source) -> dict[str, tuple[str, int, int]]:
        build = self.image.build
        assert build
        named = read_named_contexts(self.opened.workspace, self.image)
        places = {name: Source(self.root / name, files) for name, files in named.items()}
        dockerfile = self.root / self.image.file
        with staged(self.folder, source, places, dockerfile, build.sha256) as place:
            self.dockerfile = place.dockerfile.read_text()
            found = {}
            for top in (place.context, *place.named.values()):
                for path in top.rglob("*"):
                    if not path.is_dir():
                        status = path.lstat()
                        mode = status.st_mode & 0o7777
                        text = str(path.readlink()) if path.is_symlink() else path.read_text()
                        found[str(path.relative_to(top))] = (text, mode, status.st_mtime_ns)
            self.folders = {str(p.relative_to(place.context)): p for p in place.context.rglob("*")}
            return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_counts_is_staged_and_nothing_else(house: House) -> None:
    assert set(house.stage()) == {"main.py", "deep/er/x", "Dockerfile"}
    assert house.dockerfile == FILES["services/api/Dockerfile"]


def test_an_edit_that_keeps_size_and_time_gives_another_time(house: House) -> None:
    before = house.stage()["main.py"]
    file = house.root / "services/api/main.py"
    status = file.stat()
    file.write_text("nima")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = house.stage()["main.py"]
    assert (before[0], after[0]) == ("main", "nima")
    assert before[2] != after[2]


def test_the_same_content_gives_the_same_times_wherever_and_whenever_it_was_written(
    house: House, tmp_path: Path
) -> None:
    other = House(tmp_path / "other")
    os.utime(other.root / "services/api/main.py", (1, 1))
    assert other.stage() == house.stage()


def test_only_the_executable_bit_of_a_mode_is_staged(house: House) -> None:
    (house.root / "services/api/main.py").chmod(0o640)
    (house.root / "services/api/deep/er/x").chmod(0o700)
    found = house.stage()
    assert (found["main.py"][1], found["deep/er/x"][1]) == (0o644, 0o755)


def test_links_and_empty_folders_are_staged(house: House) -> None:
    (house.root / "services/api/link").symlink_to("main.py")
    (house.root / "services/api/empty").mkdir()
    assert house.stage()["link"][0] == "main.py"
    assert "empty" in house.folders


def test_nothing_staged_is_left_and_nothing_of_a_killed_build_is_staged(house: House) -> None:
    write_tree(house.folder, {"context/stale": "from a killed build"})
    assert "stale" not in house.stage()
    assert not (house.folder / "context").exists()


def test_a_file_that_changes_after_it_was_read_is_an_error(house: House) -> None:
    files = read_context(house.opened.workspace, house.image)
    (house.root / "services/api/main.py").write_text("other")
    with pytest.raises(OrchError, match="changed while it was being built"):
        house.stage_these(Source(house.root / "services/api", files))


def test_a_folder_that_is_a_named_context_is_staged_without_what_it_ignores(tmp_path: Path) -> None:
    house = House(tmp_path, '[image.api]\ncontexts = {shared = "shared"}\n')
    write_tree(house.root, {"shared/s": "s", "shared/no": "", "shared/.dockerignore": "no\n"})
    assert "s" in house.stage()
    assert "no" not in house.stage()


def test_a_named_context_has_no_ignore_file_but_its_own(tmp_path: Path) -> None:
    house = House(tmp_path, '[image.api]\ncontexts = {shared = "shared"}\n')
    write_tree(house.root, {"shared/s": "s", "shared/Dockerfile.dockerignore": "s\n"})
    assert {"s", "Dockerfile.dockerignore"} <= set(house.stage())


def test_times_lie_in_the_past_and_differ() -> None:
    times = [time_of(hashlib.sha256(str(number).encode()).hexdigest()) for number in range(1000)]
    assert all(10**18 <= time < 11 * 10**17 for time in times)
    assert len(set(times)) == 1000
