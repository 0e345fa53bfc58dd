"""Downloads from a server on this machine that does what servers and proxies do."""

from __future__ import annotations

import errno
import fcntl
import http.server
import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator import transfer
from orchestrator.errors import FetchError, InterruptedByUserError, OutOfSpaceError
from orchestrator.fetch import Downloads
from orchestrator.supply import Artifact
from orchestrator.transfer import TRY_LATER, GoneError
from tests.sites import (
    CONTENT,
    HALF,
    SHA256,
    WAIT_S,
    WHOLE,
    Site,
    answer,
    cut_short,
    file_at,
    rest,
    result,
)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(transfer, "RETRY_S", 0.0)
    with Site().running() as site:
        yield site


@pytest.fixture
def downloads(tmp_path: Path) -> Iterator[Downloads]:
    downloads = Downloads(tmp_path / "cache")
    yield downloads
    downloads.close()


def leave_part(downloads: Downloads, content: bytes) -> None:
    part = downloads.path(SHA256).with_suffix(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(content)


def test_a_file_is_fetched_and_kept_by_its_content(site: Site, downloads: Downloads) -> None:
    path = result(downloads, file_at(site.url("/x", WHOLE)))
    assert path.read_bytes() == CONTENT
    assert path == downloads.path(SHA256)
    assert [found.name for found in path.parent.iterdir()] == [SHA256]


def test_a_file_that_is_there_is_not_asked_for(site: Site, tmp_path: Path) -> None:
    for _ in range(2):
        downloads = Downloads(tmp_path / "cache")
        result(downloads, file_at(site.url("/x", WHOLE)))
        downloads.close()
    assert site.asked == ["/x"]


def test_a_file_asked_for_twice_is_fetched_once(site: Site, downloads: Downloads) -> None:
    artifact = file_at(site.url("/x", WHOLE))
    assert downloads.start(artifact) is downloads.start(artifact)
    result(downloads, artifact)
    assert site.asked == ["/x"]


def test_a_damaged_file_of_the_cache_is_fetched_again(site: Site, downloads: Downloads) -> None:
    path = downloads.path(SHA256)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert result(downloads, file_at(site.url("/x", WHOLE))).read_bytes() == CONTENT


def test_an_interrupted_download_goes_on_where_it_stopped(site: Site, downloads: Downloads) -> None:
    leave_part(downloads, CONTENT[:HALF])
    path = result(downloads, file_at(site.url("/x", rest)))
    assert path.read_bytes() == CONTENT
    assert site.ranges == [f"bytes={HALF}-"]


def test_a_server_that_ignores_range_is_read_from_the_start(
    site: Site, downloads: Downloads
) -> None:
    leave_part(downloads, CONTENT[:HALF])
    assert result(downloads, file_at(site.url("/x", WHOLE))).read_bytes() == CONTENT
    assert len(site.asked) == 1


def test_a_part_that_is_whole_already_is_taken(site: Site, downloads: Downloads) -> None:
    leave_part(downloads, CONTENT)
    assert result(downloads, file_at(site.url("/x", answer(416)))).read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(site: Site, downloads: Downloads) -> None:
    leave_part(downloads, b"something else")
    path = result(downloads, file_at(site.url("/x", rest, WHOLE)))
    assert path.read_bytes() == CONTENT
    assert site.ranges == ["bytes=14-", ""]


def test_a_response_that_is_cut_short_is_continued(site: Site, downloads: Downloads) -> None:
    assert result(downloads, file_at(site.url("/x", cut_short, rest))).read_bytes() == CONTENT
    assert site.ranges == ["", f"bytes={HALF}-"]


def test_a_busy_server_is_asked_again_and_the_part_kept(site: Site, downloads: Downloads) -> None:
    url = site.url("/x", cut_short, answer(503), answer(429), rest)
    assert result(downloads, file_at(url)).read_bytes() == CONTENT
    assert site.ranges[-1] == f"bytes={HALF}-"


def test_a_server_that_stays_busy_is_an_error_but_the_file_is_not_gone(
    site: Site, downloads: Downloads
) -> None:
    with pytest.raises(FetchError, match=r"127\.0\.0\.1: answers 503") as raised:
        result(downloads, file_at(site.url("/x", answer(503)), hint="pin another"))
    assert not isinstance(raised.value, GoneError)
    assert downloads.gone == set()
    assert raised.value.hint == TRY_LATER
    assert len(site.asked) == 4


@pytest.mark.parametrize(
    "url", ["http://user:secret@127.0.0.1:bad/x", "gopher://user:secret@127.0.0.1/x"]
)
def test_an_unusable_url_is_an_error_that_keeps_its_password(
    site: Site, downloads: Downloads, url: str
) -> None:
    with pytest.raises(FetchError) as raised:
        result(downloads, file_at(url))
    assert "secret" not in str(raised.value)


def test_endless_redirects_are_an_error(site: Site, downloads: Downloads) -> None:
    with pytest.raises(FetchError, match="redirect"):
        result(downloads, file_at(site.url("/x", answer(302, Location="/x"))))


def test_a_redirect_is_followed(site: Site, downloads: Downloads) -> None:
    site.url("/y", WHOLE)
    url = site.url("/x", answer(302, Location="/y"))
    assert result(downloads, file_at(url)).read_bytes() == CONTENT


def test_content_is_taken_as_it_lies_there_and_not_inflated(
    site: Site, downloads: Downloads
) -> None:
    url = site.url("/x", answer(200, CONTENT, Content_Encoding="gzip"))
    assert result(downloads, file_at(url)).read_bytes() == CONTENT


def test_a_file_url_is_copied(tmp_path: Path, downloads: Downloads) -> None:
    source = tmp_path / "a b.deb"
    source.write_bytes(CONTENT)
    url = f"file://{tmp_path}/a%20b.deb"
    assert result(downloads, file_at(url)).read_bytes() == CONTENT


def test_a_file_url_of_a_device_without_end_is_refused(downloads: Downloads) -> None:
    with pytest.raises(FetchError, match="/dev/zero is no file"):
        result(downloads, file_at("file:///dev/zero"))


def test_offline_fetches_nothing_and_says_so(site: Site, tmp_path: Path) -> None:
    downloads = Downloads(tmp_path / "cache", offline=True)
    with pytest.raises(FetchError, match="--offline forbids fetching it") as raised:
        result(downloads, file_at(site.url("/x", WHOLE)))
    downloads.close()
    assert site.asked == []
    assert raised.value.hint == "run once without --offline"


def test_bytes_are_counted_as_they_come(site: Site, tmp_path: Path) -> None:
    counted: list[int] = []
    downloads = Downloads(tmp_path / "cache", on_bytes=counted.append)
    result(downloads, file_at(site.url("/x", WHOLE)))
    downloads.close()
    assert sum(counted) == len(CONTENT)


def test_of_a_file_that_is_longer_than_the_lock_says_the_rest_is_left_there(
    site: Site, tmp_path: Path
) -> None:
    def endless(request: http.server.BaseHTTPRequestHandler) -> None:
        with suppress(ConnectionError):  # who asked hangs up
            answer(200, CONTENT + bytes(16 << 20))(request)

    counted: list[int] = []
    downloads = Downloads(tmp_path / "cache", on_bytes=counted.append)
    with pytest.raises(FetchError, match="is not what the lock names"):
        result(downloads, file_at(site.url("/x", endless, endless)))
    downloads.close()
    assert sum(counted) < 16 << 20


def test_two_runs_on_one_cache_fetch_once(site: Site, tmp_path: Path) -> None:
    first_asked, second_waits = threading.Event(), threading.Event()

    def slow(request: http.server.BaseHTTPRequestHandler) -> None:
        first_asked.set()
        second_waits.wait(WAIT_S)
        WHOLE(request)

    artifact = file_at(site.url("/x", slow))
    one, two = Downloads(tmp_path / "cache"), Downloads(tmp_path / "cache")
    first = one.start(artifact)
    assert first_asked.wait(WAIT_S)
    second = two.start(artifact)
    second_waits.set()
    assert first.result(WAIT_S).read_bytes() == second.result(WAIT_S).read_bytes() == CONTENT
    assert site.asked == ["/x"]
    one.close()
    two.close()


def test_a_file_being_fetched_is_locked_against_other_processes(
    site: Site, downloads: Downloads
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.set()
        go_on.wait(WAIT_S)
        WHOLE(request)

    future = downloads.start(file_at(site.url("/x", slow)))
    assert asked.wait(WAIT_S)
    part = downloads.path(SHA256).with_suffix(".part")
    with part.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    go_on.set()
    future.result(WAIT_S)


class FullDisk(io.BytesIO):
    """Stands for a file on a full disk."""

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named_with_a_way_out(
    site: Site, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = transfer.Transfers._get
    monkeypatch.setattr(
        transfer.Transfers, "_get", lambda self, url, _, most: get(self, url, FullDisk(), most)
    )
    with pytest.raises(OutOfSpaceError, match="no space left while writing") as raised:
        result(downloads, file_at(site.url("/x", WHOLE)))
    assert "ORCH_CACHE" in raised.value.hint
    assert not downloads.path(SHA256).exists()


def test_stopping_gives_up_what_runs_and_does_not_call_it_gone(
    site: Site, downloads: Downloads
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.set()
        go_on.wait(WAIT_S)
        WHOLE(request)

    future = downloads.start(file_at(site.url("/x", slow), site.url("/y", answer(404))))
    assert asked.wait(WAIT_S)
    downloads.stop()
    go_on.set()
    with pytest.raises(InterruptedByUserError):
        future.result(WAIT_S)
    with pytest.raises(InterruptedByUserError):
        downloads.start(Artifact("y", "0" * 64, 0, list))
    assert downloads.gone == set()


def test_stopping_does_not_wait_for_the_next_attempt(
    site: Site, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "RETRY_S", 3600.0)
    asked = threading.Event()

    def busy(request: http.server.BaseHTTPRequestHandler) -> None:
        answer(503)(request)
        asked.set()

    future = downloads.start(file_at(site.url("/x", busy)))
    assert asked.wait(WAIT_S)
    downloads.stop()
    with pytest.raises(InterruptedByUserError):
        future.result(WAIT_S)
