"""Places of a file: which are asked, in which order, and what each gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import transfer
from orchestrator.errors import FetchError
from orchestrator.fetch import Downloads
from orchestrator.supply import Artifact
from orchestrator.transfer import GoneError
from tests.sites import (
    ALTERED,
    CONTENT,
    SHA256,
    WHOLE,
    Site,
    answer,
    file_at,
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


def test_altered_content_is_fetched_once_more(site: Site, downloads: Downloads) -> None:
    assert result(downloads, file_at(site.url("/x", ALTERED, WHOLE))).read_bytes() == CONTENT
    assert len(site.asked) == 2


def test_content_that_stays_altered_is_refused_with_both_digests(
    site: Site, downloads: Downloads
) -> None:
    found = hashlib.sha256(CONTENT[:-1] + b"!").hexdigest()
    with pytest.raises(FetchError, match=f"expected sha256 {SHA256}, found {found}"):
        result(downloads, file_at(site.url("/x", ALTERED)))
    assert len(site.asked) == 2
    assert not downloads.path(SHA256).exists()
    assert downloads.path(SHA256).with_suffix(".part").read_bytes() == b""


def test_a_mirror_that_alters_content_is_passed_over(site: Site, downloads: Downloads) -> None:
    urls = site.url("/bad", ALTERED), site.url("/good", WHOLE)
    assert result(downloads, file_at(*urls)).read_bytes() == CONTENT
    assert site.asked == ["/bad", "/bad", "/good"]


@pytest.mark.parametrize("status", [404, 410, 403])
def test_a_file_that_one_place_lacks_is_taken_from_the_next(
    site: Site, downloads: Downloads, status: int
) -> None:
    urls = site.url("/old", answer(status)), site.url("/new", WHOLE)
    assert result(downloads, file_at(*urls)).read_bytes() == CONTENT
    assert site.asked == ["/old", "/new"]


def test_a_file_that_no_place_has_is_gone_and_the_hint_says_what_to_do(
    site: Site, downloads: Downloads, tmp_path: Path
) -> None:
    urls = site.url("/x", answer(404)), site.url("/y", answer(410)), f"file://{tmp_path}/gone"
    with pytest.raises(GoneError, match=r"x_1\.deb cannot be fetched") as raised:
        result(downloads, file_at(*urls, hint="run: orch lock"))
    assert raised.value.hint == "run: orch lock"
    assert downloads.gone == {SHA256}


def test_a_file_that_no_source_offers_is_gone(downloads: Downloads) -> None:
    with pytest.raises(GoneError, match="no configured source offers it"):
        result(downloads, file_at())


def test_a_file_is_not_gone_while_one_place_is_out_of_reach(
    site: Site, downloads: Downloads
) -> None:
    with pytest.raises(FetchError) as raised:
        result(downloads, file_at(site.url("/x", answer(404)), "http://127.0.0.1:1/x"))
    assert not isinstance(raised.value, GoneError)
    assert downloads.gone == set()


def with_fallback(artifact: Artifact, *urls: str) -> Artifact:
    return replace(artifact, fallback=lambda: urls)


def test_an_archive_is_asked_for_what_the_mirrors_dropped(site: Site, downloads: Downloads) -> None:
    gone, kept = site.url("/x", answer(404)), site.url("/y", WHOLE)
    assert result(downloads, with_fallback(file_at(gone), kept)).read_bytes() == CONTENT


def test_a_file_is_gone_though_the_archive_is_out_of_reach(
    site: Site, downloads: Downloads
) -> None:
    artifact = with_fallback(file_at(site.url("/x", answer(404))), "http://127.0.0.1:1/x")
    with pytest.raises(GoneError):
        result(downloads, artifact)
    assert downloads.gone == {SHA256}


def test_an_archive_is_not_asked_while_a_mirror_is_busy(site: Site, downloads: Downloads) -> None:
    archive = site.url("/y", WHOLE)
    with pytest.raises(FetchError, match="503"):
        result(downloads, with_fallback(file_at(site.url("/x", answer(503))), archive))
    assert not any("/y" in str(asked) for asked in site.asked)
