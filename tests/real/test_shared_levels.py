"""The contract of shared levels: a folder, a bucket of moto's S3, and the fake, all alike."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.fetch import Downloads
from orchestrator.levels import Level, LevelError, Levels
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.shared_folder import FolderLevel
from tests.buckets import Bucket, use_credentials
from tests.fakes import FakeLevel

LARGE_BYTES = 20_000_000
"""More than is uploaded in one part."""


def file_of(folder: Path, content: bytes) -> tuple[str, Path]:
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / sha256).write_bytes(content)
    return sha256, folder / sha256


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    use_credentials(monkeypatch)
    return Bucket.made(moto)


@pytest.fixture(params=["folder", "s3", "fake"])
def level(request: pytest.FixtureRequest, tmp_path: Path) -> Level:
    if request.param == "folder":
        return FolderLevel(tmp_path / "level", "level")
    if request.param == "s3":
        bucket: Bucket = request.getfixturevalue("bucket")
        return bucket.level()
    return FakeLevel()


def content_of(level: Level, sha256: str) -> bytes | None:
    into = io.BytesIO()
    return into.getvalue() if level.fetch(sha256, into) else None


def test_what_is_put_is_given_back(level: Level, tmp_path: Path) -> None:
    sha256, file = file_of(tmp_path, b"a wheel")
    level.put(sha256, file, "x-1.0-py3-none-any.whl")
    assert content_of(level, sha256) == b"a wheel"


def test_what_is_not_there_is_neither_written_nor_an_error(level: Level, tmp_path: Path) -> None:
    sha256, file = file_of(tmp_path, b"a wheel")
    level.put(sha256, file, "x")
    into = io.BytesIO(b"as it was")
    assert not level.fetch("0" * 64, into)
    assert into.getvalue() == b"as it was"


def test_sizes_are_told_of_what_is_there(level: Level, tmp_path: Path) -> None:
    one, two = file_of(tmp_path, b"one"), file_of(tmp_path, b"three")
    level.put(*one, "one")
    level.put(*two, "two")
    assert level.sizes([one[0], "0" * 64, two[0]]) == {one[0]: 3, two[0]: 5}
    assert level.sizes([]) == {}


def test_what_is_put_again_replaces_what_was_there(level: Level, tmp_path: Path) -> None:
    sha256, file = file_of(tmp_path, b"a wheel")
    file.write_bytes(b"spoilt")
    level.put(sha256, file, "x")
    file.write_bytes(b"a wheel")
    level.put(sha256, file, "x")
    assert content_of(level, sha256) == b"a wheel"


@dataclass
class Pieces:
    """A sink that keeps the sizes of the pieces and nothing of them."""

    sizes: list[int] = field(default_factory=list)

    def write(self, data: bytes, /) -> None:
        self.sizes.append(len(data))


def test_a_large_file_comes_in_pieces(level: Level, tmp_path: Path) -> None:
    content = random.Random(0).randbytes(LARGE_BYTES)
    sha256, file = file_of(tmp_path, content)
    level.put(sha256, file, "large")
    pieces = Pieces()
    assert level.fetch(sha256, pieces)
    assert sum(pieces.sizes) == LARGE_BYTES
    assert max(pieces.sizes) <= 1 << 20
    assert hashlib.sha256(content_of(level, sha256) or b"").hexdigest() == sha256


def test_threads_may_share_a_level(level: Level, tmp_path: Path) -> None:
    files = [file_of(tmp_path, f"file {number}".encode()) for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: level.put(file[0], file[1], "x"), files))
        contents = list(pool.map(lambda file: content_of(level, file[0]), files))
    assert contents == [f"file {number}".encode() for number in range(16)]


def test_in_a_bucket_a_person_sees_what_is_what(bucket: Bucket, tmp_path: Path) -> None:
    sha256, file = file_of(tmp_path, b"a wheel")
    bucket.level().put(sha256, file, "x-1.0-py3-none-any.whl")
    (key,) = bucket.keys()
    assert key == f"team/wheels/sha256/{sha256[:2]}/{sha256}"
    found = bucket.client().head_object(Bucket=bucket.name, Key=key)
    assert found["Metadata"] == {"file": "x-1.0-py3-none-any.whl"}


def test_in_a_folder_a_person_sees_what_is_what(tmp_path: Path) -> None:
    sha256, file = file_of(tmp_path, b"a wheel")
    FolderLevel(tmp_path / "level", "level").put(sha256, file, "x-1.0-py3-none-any.whl")
    beside = tmp_path / f"level/sha256/{sha256[:2]}/{sha256}.name"
    assert beside.read_text() == "x-1.0-py3-none-any.whl\n"


def test_a_prefix_may_be_absent(bucket: Bucket, tmp_path: Path) -> None:
    sha256, file = file_of(tmp_path, b"a wheel")
    bucket.level(prefix="").put(sha256, file, "x")
    assert bucket.keys() == [f"sha256/{sha256[:2]}/{sha256}"]


@pytest.mark.parametrize(
    ("sse", "kms_key"), [("", ""), ("AES256", ""), ("aws:kms", ""), ("aws:kms", "alias/wheels")]
)
def test_what_is_pushed_is_encrypted_as_the_settings_say(
    bucket: Bucket, tmp_path: Path, sse: str, kms_key: str
) -> None:
    sha256, file = file_of(tmp_path, b"a wheel")
    bucket.level(sse=sse, kms_key=kms_key).put(sha256, file, "x")
    found = bucket.client().head_object(Bucket=bucket.name, Key=bucket.keys()[0])
    assert found.get("ServerSideEncryption", "AES256") == (sse or "AES256")
    assert found.get("SSEKMSKeyId", "") == kms_key


def test_a_bucket_that_is_not_there_is_an_error_to_push_and_to_fetch(
    bucket: Bucket, tmp_path: Path
) -> None:
    level = Bucket(bucket.endpoint, "no-such-bucket").level()
    for use in (
        lambda: level.fetch("0" * 64, io.BytesIO()),
        lambda: level.put("0" * 64, Path(__file__), "x"),
    ):
        with pytest.raises(LevelError, match="there is no such bucket"):
            use()


def test_a_folder_that_is_not_there_is_said_when_it_is_read(tmp_path: Path) -> None:
    level = FolderLevel(tmp_path / "level", "level")
    with pytest.raises(LevelError, match="level does not exist"):
        level.fetch("0" * 64, io.BytesIO())
    assert level.sizes(["0" * 64]) == {}


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "level").write_text("no folder")
    with pytest.raises(LevelError, match=r"^level: .*Not a directory"):
        FolderLevel(tmp_path / "level", "level").put("0" * 64, Path(__file__), "x")


CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ALTERED = {
    "altered": CONTENT[:-1] + b"!",
    "truncated": CONTENT[:100],
    "empty": b"",
    "swapped": b"another wheel, whole in itself",
}


@pytest.fixture
def downloads(level: Level, tmp_path: Path) -> Iterator[Downloads]:
    downloads = Downloads(tmp_path / "cache", levels=Levels([level]))
    yield downloads
    downloads.close()


@pytest.mark.parametrize("content", ALTERED.values(), ids=ALTERED)
def test_a_file_that_is_not_what_the_lock_names_is_fetched_from_the_index(
    level: Level, downloads: Downloads, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "altered").write_bytes(content)
    (tmp_path / "index").write_bytes(CONTENT)
    level.put(SHA256, tmp_path / "altered", "x.whl")
    url = (tmp_path / "index").as_uri()
    wheel = Artifact("x.whl", SHA256, len(CONTENT), lambda: (url,), is_shared=True)
    assert downloads.start(wheel).result().read_bytes() == CONTENT
    (warning,) = downloads._levels.warnings
    assert warning.startswith(f"{level.name} gave other bytes for x.whl")


def test_what_a_level_gives_is_in_the_cache_as_the_index_would_give_it(
    level: Level, downloads: Downloads, tmp_path: Path
) -> None:
    sha256, file = file_of(tmp_path, CONTENT)
    level.put(sha256, file, "x.whl")
    wheel = Artifact("x.whl", SHA256, len(CONTENT), tuple, is_shared=True)
    assert downloads.start(wheel).result() == downloads.path(SHA256)
    assert downloads.path(SHA256).read_bytes() == CONTENT
    assert downloads.sources == {SHA256: level.name}
