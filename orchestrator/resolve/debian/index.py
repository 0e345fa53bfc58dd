"""Fetches a suite's indexes, checks them against its release and keeps them unpacked."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from orchestrator.atomic import replacing
from orchestrator.errors import FetchError
from orchestrator.resolve.debian.fetch import Fetcher, MissingFileError, shown
from orchestrator.resolve.debian.newest import NewestSeen
from orchestrator.resolve.debian.release import (
    IndexFile,
    Release,
    check_valid_until,
    parse_release,
    verify_signature,
)
from orchestrator.resolve.debian.sources import Source

_MOST_RELEASE_BYTES = 16 << 20
_SLACK = 1 << 20
"""What an index of a mirror in mid-update may have more than the one that is named."""
_UNPACK: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {".xz": lzma.decompress, ".gz": gzip.decompress, "": bytes}
)


class IndexMismatchError(FetchError):
    """An index is not the one that the release names: the mirror may be in mid-update."""


class IndexCache:
    """Indexes on disk: the file `SHA256.packages` holds what the index of that digest unpacks to.

    Threads and processes may share a folder.
    """

    def __init__(self, folder: Path, fetcher: Fetcher) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._newest = NewestSeen(folder / "newest")

    def close(self) -> None:
        """Give up the connections; they are made again when needed."""
        self._fetcher.close()

    def read_release(self, source: Source, suite: str, now: datetime) -> Release | None:
        """Fetch and verify a suite's `InRelease`; return nothing where an optional one is absent.

        Raises:
            FetchError: It is out of reach, not signed by the source's key, expired, or older than
                what the mirror had before.
            MissingToolError: `gpgv` or the keyring is missing.
        """
        uri = f"{source.uri}/dists/{suite}/InRelease"
        where = shown(uri)
        try:
            in_release = self._fetcher.fetch(uri, _MOST_RELEASE_BYTES)
        except MissingFileError:
            if source.optional:
                return None
            raise
        text = verify_signature(in_release, source.signed_by, where)
        release = parse_release(text, suite, where)
        if source.check_valid_until:
            check_valid_until(release, now, where)
            self._newest.check(source.uri, release, where)
        return release

    def read_packages(
        self, source: Source, release: Release, component: str, architecture: str
    ) -> bytes:
        """Return a `Packages` index, fetching it unless its digest is in the cache.

        Raises:
            FetchError: It is out of reach or not in the release, or the cache cannot be written.
            IndexMismatchError: Its size or digest is not the release's.
        """
        folder = f"{source.uri}/dists/{release.suite}"
        file = _find_index(release, component, architecture, folder)
        cached = self._folder / f"{file.sha256}.packages"
        try:
            return cached.read_bytes()
        except FileNotFoundError:
            pass
        packed = self._fetcher.fetch(f"{folder}/{file.path}", 2 * file.size_bytes + _SLACK)
        _check(packed, file, shown(f"{folder}/{file.path}"))
        unpacked = _unpack(packed, shown(f"{folder}/{file.path}"))
        with replacing(cached, sync=True) as out:
            out.write(unpacked)
        return unpacked


def _find_index(release: Release, component: str, architecture: str, folder: str) -> IndexFile:
    path = f"{component}/binary-{architecture}/Packages"
    for suffix in _UNPACK:
        file = release.files.get(f"{path}{suffix}")
        if file is not None:
            return file
    raise FetchError(
        f"{shown(folder)}: the release has no {path}",
        hint="set another mirror or other components under [debian], or take the platform out",
    )


def _check(packed: bytes, file: IndexFile, where: str) -> None:
    if len(packed) != file.size_bytes:
        raise _mismatch(f"{where}: {file.size_bytes} bytes expected, {len(packed)} found")
    found = hashlib.sha256(packed).hexdigest()
    if found != file.sha256:
        raise _mismatch(f"{where}: SHA-256 {file.sha256} expected, {found} found")


def _unpack(packed: bytes, where: str) -> bytes:
    try:
        return _UNPACK[Path(where).suffix](packed)
    except (lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise FetchError(
            f"{where}: the index is signed, and cannot be unpacked: {error}",
            hint="tell who keeps the archive; until then set another mirror under [debian]",
        ) from error


def _mismatch(message: str) -> IndexMismatchError:
    return IndexMismatchError(
        message, hint="the mirror may be updating just now: try again in some minutes"
    )
