"""The data of a Debian package unpacked: no more of it than is believable, and errors named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Mapping
from typing import IO, Any, BinaryIO, cast

from orchestrator.errors import ArtifactError
from orchestrator.oci.reading import XzReader

CHUNK = 1 << 18
MAX_UNPACKED_BYTES = 4 << 30
MAX_RATIO = 200
RATIO_FREE_BYTES = 64 << 20
_BROKEN = (lzma.LZMAError, EOFError, zlib.error, OSError, tarfile.TarError)


class _Slice(io.RawIOBase):
    """The next `size` bytes of a stream; ending before is an error."""

    def __init__(self, name: str, stream: BinaryIO, size: int) -> None:
        self._name, self._stream, self._left = name, stream, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            raise unusable(self._name, "it is truncated")
        buffer[:wanted] = data
        self._left -= wanted
        return wanted


class Unpacked(io.RawIOBase):
    """Decompressed data, refused where there is more of it than is believable."""

    def __init__(self, name: str, stream: IO[bytes], packed_bytes: int) -> None:
        self._name, self._stream = name, stream
        self._limit = min(MAX_UNPACKED_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * packed_bytes))
        self._size = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except _BROKEN as error:
            raise unusable(self._name, f"it is truncated or damaged: {error}") from error
        self._size += len(data)
        if self._size > self._limit:
            raise unusable(self._name, f"it unpacks to more than {self._limit} bytes")
        return data


def unpack(name: str, member: str, stream: BinaryIO, size: int) -> Unpacked:
    """Return what the next `size` bytes of a stream unpack to; the member's suffix says how.

    Raises:
        ArtifactError: The suffix is none of those known, or what reads it is not installed.
    """
    packed = io.BufferedReader(_Slice(name, stream, size), CHUNK)
    suffix = member.partition(".tar")[2]
    opener = _OPENERS.get(suffix)
    if opener is None:
        known = ", ".join(sorted(filter(None, _OPENERS)))
        raise unusable(name, f"{member} is compressed in an unknown way (known: {known})")
    return Unpacked(name, opener(packed, name), size)


def _open_zstd(packed: IO[bytes], name: str) -> IO[bytes]:
    try:
        import zstandard  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise ArtifactError(
            f"{name}: it is compressed with zstd, which needs a Python package that is missing",
            hint="install it where orch is: pip install zstandard",
        ) from error
    return cast("IO[bytes]", _Zstd(zstandard.ZstdDecompressor().stream_reader(packed), zstandard))


class _Zstd(io.RawIOBase):
    """What zstd data unpacks to, its own error among those of files."""

    def __init__(self, plain: IO[bytes], library: Any) -> None:
        self._plain, self._error = plain, library.ZstdError

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._plain.read(size)
        except self._error as error:
            raise OSError(str(error)) from error


_OPENERS: Mapping[str, Callable[[IO[bytes], str], IO[bytes]]] = {
    "": lambda packed, _: packed,
    ".gz": lambda packed, _: cast("IO[bytes]", gzip.GzipFile(fileobj=packed)),
    ".xz": lambda packed, _: cast("IO[bytes]", XzReader(packed)),
    ".bz2": lambda packed, _: bz2.BZ2File(packed),
    ".zst": _open_zstd,
}


def unusable(name: str, why: str) -> ArtifactError:
    """Return the error of a package that must not be used."""
    return ArtifactError(
        f"Debian package {name} cannot be used: {why}",
        hint="fetch it again; if it stays so, pick another package or version",
    )
