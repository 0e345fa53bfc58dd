"""Shared levels before the package indexes: asked in order, believed by sha256 alone."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator import logs
from orchestrator.errors import FetchError, InterruptedByUserError, UnavailableError
from orchestrator.fetch import Downloads
from orchestrator.levels import LevelError, Levels, RefusedFileError
from orchestrator.supply import Artifact
from tests.fakes import FakeLevel

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = b"another wheel, whole in itself"
OTHER_SHA256 = hashlib.sha256(OTHER).hexdigest()
WAIT_S = 20

ALTERED = {
    "altered": CONTENT[:-1] + b"!",
    "truncated": CONTENT[:100],
    "empty": b"",
    "swapped": OTHER,
}

Fetch = Callable[..., Path]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where an index has the file."""
    (tmp_path / "index").write_bytes(CONTENT)
    return (tmp_path / "index").as_uri()


def wheel(*urls: str, is_shared: bool = True) -> Artifact:
    return Artifact("x.whl", SHA256, len(CONTENT), lambda: urls, is_shared=is_shared)


@pytest.fixture
def downloads_of(tmp_path: Path) -> Iterator[Callable[..., Downloads]]:
    """A function that opens an empty cache before levels."""
    opened: list[Downloads] = []

    def open_downloads(*levels: FakeLevel, offline: bool = False) -> Downloads:
        folder = tmp_path / f"cache-{len(opened)}"
        opened.append(Downloads(folder, offline=offline, levels=Levels(levels)))
        return opened[-1]

    yield open_downloads
    for downloads in opened:
        downloads.close()


Open = Callable[..., Downloads]


def result(downloads: Downloads, artifact: Artifact) -> bytes:
    return downloads.start(artifact).result(WAIT_S).read_bytes()


def warnings(downloads: Downloads) -> list[str]:
    return downloads._levels.warnings


def test_a_level_is_asked_before_the_index(downloads_of: Open) -> None:
    downloads = downloads_of(FakeLevel(files={SHA256: CONTENT}))
    nowhere = wheel("file:///there/is/no/such/file")
    assert result(downloads, nowhere) == CONTENT
    assert downloads.sources == {SHA256: "s3://fake"}


def test_what_no_level_has_comes_from_the_index(downloads_of: Open, url: str) -> None:
    levels = FakeLevel("one"), FakeLevel("two")
    downloads = downloads_of(*levels)
    assert result(downloads, wheel(url)) == CONTENT
    assert [level.asked for level in levels] == [[SHA256], [SHA256]]
    assert downloads.sources == {SHA256: "a folder"}
    assert warnings(downloads) == []


def test_levels_are_asked_in_their_order_until_one_gives(downloads_of: Open) -> None:
    levels = [FakeLevel("one"), FakeLevel("two", files={SHA256: CONTENT}), FakeLevel("three")]
    downloads = downloads_of(*levels)
    assert result(downloads, wheel()) == CONTENT
    assert [len(level.asked) for level in levels] == [1, 1, 0]


def test_what_is_in_the_cache_is_asked_of_no_level(downloads_of: Open) -> None:
    level = FakeLevel(files={SHA256: CONTENT})
    downloads = downloads_of(level)
    result(downloads, wheel())
    again = Downloads(downloads.path(SHA256).parents[1], levels=Levels([level]))
    assert result(again, wheel()) == CONTENT
    again.close()
    assert level.asked == [SHA256]


def test_what_is_no_wheel_is_asked_of_no_level(downloads_of: Open, url: str) -> None:
    level = FakeLevel(files={SHA256: CONTENT})
    assert result(downloads_of(level), wheel(url, is_shared=False)) == CONTENT
    assert level.asked == []


@pytest.mark.parametrize("content", ALTERED.values(), ids=ALTERED)
def test_other_bytes_are_thrown_away_said_in_a_line_and_fetched_elsewhere(
    downloads_of: Open, url: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(logs, "event", lambda name, **fields: events.append(name))
    downloads = downloads_of(FakeLevel(files={SHA256: content}))
    assert result(downloads, wheel(url)) == CONTENT
    (warning,) = warnings(downloads)
    assert warning.startswith("s3://fake gave other bytes for x.whl than the lock names")
    assert "\n" not in warning
    assert events == ["level.altered", "file.fetched"]


@pytest.mark.parametrize("content", ALTERED.values(), ids=ALTERED)
def test_the_next_level_mends_what_one_altered(downloads_of: Open, content: bytes) -> None:
    first, second = FakeLevel("one", files={SHA256: content}), FakeLevel("two")
    second.files[SHA256] = CONTENT
    downloads = downloads_of(first, second)
    assert result(downloads, wheel()) == CONTENT
    assert downloads.sources == {SHA256: "two"}


def test_a_transfer_that_breaks_off_leaves_nothing_behind(downloads_of: Open, url: str) -> None:
    class Breaking(FakeLevel):
        def fetch(self, sha256: str, into: object) -> bool:
            into.write(OTHER)  # type: ignore[attr-defined]
            raise LevelError("s3://fake is out of reach")

    downloads = downloads_of(Breaking())
    assert result(downloads, wheel(url)) == CONTENT


def test_a_part_of_an_earlier_download_goes_on_when_no_level_has_the_file(
    downloads_of: Open, tmp_path: Path
) -> None:
    downloads = downloads_of(FakeLevel())
    part = downloads.path(SHA256).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:100])
    seen: list[int] = []

    def locate() -> Sequence[str]:
        seen.append(part.stat().st_size)
        (tmp_path / "late").write_bytes(CONTENT)
        return [(tmp_path / "late").as_uri()]

    assert result(downloads, Artifact("x", SHA256, 0, locate, is_shared=True)) == CONTENT
    assert seen == [100]


def test_a_part_of_an_earlier_download_gives_way_to_what_a_level_has(downloads_of: Open) -> None:
    downloads = downloads_of(FakeLevel(files={SHA256: CONTENT}))
    part = downloads.path(SHA256).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half of something")
    assert result(downloads, wheel()) == CONTENT


def test_a_level_out_of_reach_is_one_warning_and_asked_no_more(
    downloads_of: Open, tmp_path: Path
) -> None:
    level = FakeLevel(error=LevelError("s3://fake is out of reach", hint="check the network"))
    downloads = downloads_of(level)
    for content in (b"1", b"2", b"3"):
        sha256 = hashlib.sha256(content).hexdigest()
        (tmp_path / sha256).write_bytes(content)
        url = (tmp_path / sha256).as_uri()
        file = Artifact(sha256, sha256, 1, lambda url=url: (url,), is_shared=True)  # type: ignore[misc]
        assert result(downloads, file) == content
    assert len(level.asked) == 1
    assert warnings(downloads) == ["s3://fake is out of reach; check the network"]


def test_a_level_that_refuses_one_file_is_asked_for_the_next(
    downloads_of: Open, url: str, tmp_path: Path
) -> None:
    level = FakeLevel(error=RefusedFileError("s3://fake does not allow s3:GetObject"))
    downloads = downloads_of(level)
    assert result(downloads, wheel(url)) == CONTENT
    level.error, level.files[OTHER_SHA256] = None, OTHER
    other = Artifact("y", OTHER_SHA256, len(OTHER), tuple, is_shared=True)
    assert result(downloads, other) == OTHER
    assert warnings(downloads) == ["s3://fake does not allow s3:GetObject"]


def test_an_error_names_the_level_that_could_not_be_asked(downloads_of: Open) -> None:
    downloads = downloads_of(FakeLevel(error=LevelError("s3://fake is out of reach")))
    with pytest.raises(FetchError, match=r"x\.whl cannot be fetched: .*; s3://fake is out of"):
        result(downloads, wheel())


def test_no_index_and_no_level_are_both_in_the_error(downloads_of: Open) -> None:
    def locate() -> Sequence[str]:
        raise UnavailableError("no configured index has x.whl")

    downloads = downloads_of(FakeLevel(error=LevelError("s3://fake is out of reach")))
    with pytest.raises(UnavailableError, match=r"no configured index has x\.whl; s3://fake is out"):
        result(downloads, Artifact("x.whl", SHA256, 0, locate, is_shared=True))


def test_offline_a_local_level_gives_and_counts_as_at_hand(downloads_of: Open, url: str) -> None:
    downloads = downloads_of(
        FakeLevel("folder", is_local=True, files={SHA256: CONTENT}), offline=True
    )
    other = Artifact("y.whl", OTHER_SHA256, len(OTHER), lambda: (url,), is_shared=True)
    assert [downloads.is_at_hand(file) for file in (wheel(), other)] == [True, False]
    assert result(downloads, wheel()) == CONTENT
    with pytest.raises(FetchError, match="--offline forbids fetching it"):
        result(downloads, other)


def test_a_level_that_needs_a_network_has_nothing_at_hand(downloads_of: Open) -> None:
    level = FakeLevel(files={SHA256: CONTENT})
    assert not downloads_of(level).is_at_hand(wheel())
    assert level.asked == []


def test_stopping_ends_a_transfer_from_a_level(downloads_of: Open) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(FakeLevel):
        def fetch(self, sha256: str, into: object) -> bool:
            begun.set()
            go_on.wait(WAIT_S)
            return super().fetch(sha256, into)  # type: ignore[arg-type]

    downloads = downloads_of(Slow(files={SHA256: CONTENT}))
    future = downloads.start(wheel())
    assert begun.wait(WAIT_S)
    downloads.stop()
    go_on.set()
    with pytest.raises(InterruptedByUserError):
        future.result(WAIT_S)


def test_the_first_level_that_has_a_file_is_found() -> None:
    one, two = FakeLevel("one"), FakeLevel("two", files={SHA256: CONTENT})
    broken = FakeLevel("broken", error=LevelError("broken is out of reach"))
    levels = Levels([broken, one, two])
    assert levels.find([SHA256, OTHER_SHA256]) == {SHA256: "two"}
    assert levels.warnings == ["broken is out of reach"]
