"""A cache folder that several users may write to: what others placed there leads nowhere."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import links
from orchestrator.atomic import write_text
from orchestrator.errors import OrchError
from orchestrator.fetch import Downloads
from orchestrator.levels import LevelError
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.shared_folder import FolderLevel
from tests.conftest import give_up
from tests.real.parts import MissingPartError

CONTENT = b"the file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ANOTHER = 4321
"""The number of a user who is neither this one nor root."""


@pytest.fixture
def downloads(tmp_path: Path) -> Iterator[Downloads]:
    opened = Downloads(tmp_path / "cache/downloads", jobs=1)
    yield opened
    opened.close()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a file of this user that somebody else would have written to."""
    file = tmp_path / "mine"
    file.write_text("mine\n")
    return file


def artifact(tmp_path: Path, size_bytes: int = len(CONTENT)) -> Artifact:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    return Artifact("a.whl", SHA256, size_bytes, lambda: [source.as_uri()])


def give_away(link: Path) -> None:
    """Make a link another user's."""
    if os.getuid() != 0:
        give_up(MissingPartError("root", "who gives a link to another user"))
    os.chown(link, ANOTHER, ANOTHER, follow_symlinks=False)


def test_a_link_in_place_of_a_download_that_began_is_not_written_through(
    tmp_path: Path, downloads: Downloads, mine: Path
) -> None:
    part = downloads.path(SHA256).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.symlink_to(mine)
    with pytest.raises(OrchError, match="is a link, and is not written through") as refused:
        downloads.start(artifact(tmp_path)).result()
    assert "ORCH_CACHE" in refused.value.hint
    assert mine.read_text() == "mine\n"


def test_another_name_of_ones_own_file_is_not_written_to(
    tmp_path: Path, downloads: Downloads, mine: Path
) -> None:
    part = downloads.path(SHA256).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.hardlink_to(mine)
    with pytest.raises(OrchError, match="no file of its own"):
        downloads.start(artifact(tmp_path)).result()
    assert mine.read_text() == "mine\n"


def test_a_pipe_in_place_of_a_download_stops_nobody(tmp_path: Path, downloads: Downloads) -> None:
    path = downloads.path(SHA256)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert downloads.start(artifact(tmp_path, 0)).result().read_bytes() == CONTENT
    assert downloads.damaged == ["a.whl"]


def test_a_link_in_place_of_a_download_is_thrown_away(
    tmp_path: Path, downloads: Downloads, mine: Path
) -> None:
    path = downloads.path(SHA256)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/zero")
    fetched = downloads.start(artifact(tmp_path, 0)).result()
    assert stat.S_ISREG(fetched.lstat().st_mode)
    assert fetched.read_bytes() == CONTENT


def test_a_folder_that_another_user_made_a_link_is_not_written_to(
    tmp_path: Path, downloads: Downloads
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = downloads.path(SHA256).parent
    folder.parent.mkdir(parents=True)
    folder.symlink_to(elsewhere)
    give_away(folder)
    with pytest.raises(OrchError, match=f"a link that user {ANOTHER} made"):
        downloads.start(artifact(tmp_path)).result()
    with pytest.raises(OrchError, match=f"a link that user {ANOTHER} made"):
        write_text(folder / "sub/note.json", "{}")
    assert not [path for path in elsewhere.rglob("*") if path.is_file()]


def test_ones_own_link_is_followed(tmp_path: Path, downloads: Downloads) -> None:
    big_disk = tmp_path / "big-disk"
    big_disk.mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/downloads").symlink_to(big_disk)
    assert downloads.start(artifact(tmp_path)).result().read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["link", "pipe", "device"])
def test_a_shared_folder_gives_files_alone(tmp_path: Path, kind: str) -> None:
    level = FolderLevel(tmp_path / "shared", "shared")
    path = level.path(SHA256)
    path.parent.mkdir(parents=True)
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    taken: list[bytes] = []
    assert level.sizes([SHA256]) == {}
    with pytest.raises(LevelError, match="shared cannot be read"):
        level.fetch(SHA256, _Sink(taken))
    assert taken == []


class _Sink:
    def __init__(self, taken: list[bytes]) -> None:
        self._taken = taken

    def write(self, data: bytes, /) -> None:
        self._taken.append(data)


def test_a_pipe_is_not_opened_to_append_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises((OrchError, OSError)):
        links.open_shared(tmp_path / "lock")
