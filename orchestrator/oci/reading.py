"""Tar archives and layers that others made, read as streams in bounded memory and time."""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self, cast

from isal import igzip, igzip_lib

MOST_MEMBERS = 500_000
MOST_RATIO = 200
"""Beyond `_RATIO_FREE_BYTES` nothing that is meant to be unpacked was packed better."""
_RATIO_FREE_BYTES = 4 << 30

_CHUNK = 1 << 18
_MOST_HEADER_BYTES = 256 << 10
_MOST_GLOBAL_KEYS = 64
_MOST_ENDS = 16
_HEADERS = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
_MOST_OWNER = 1 << 32
_ISAL_ERROR: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # of its stub
UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    lzma.LZMAError,
    zlib.error,
    _ISAL_ERROR,
    tarfile.TarError,
)
"""What reading a packed archive raises where it is damaged, or is refused here."""


class _SoundInfo(tarfile.TarInfo):
    """A member's header, refused where `tarfile` would believe it at any price.

    A header of some gigabytes it reads whole, by a size below zero it goes backwards, and a
    damaged one it takes for the archive's end.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a block.

        Raises:
            TarError: It is no header, or one that no archive needs.
        """
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not any(buf):  # nothing, or zeros: here the archive ends
                raise
            raise tarfile.ReadError(str(error)) from None
        if info.size < 0:
            raise tarfile.ReadError(f"{info.name!r} has a size below zero")
        if info.type in _HEADERS and info.size > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {info.size} bytes is too large to be one")
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(f"{info.name!r} is a file with holes, which images do not have")
        return info


def open_tar(stream: IO[bytes] | io.RawIOBase, bufsize: int = _CHUNK) -> tarfile.TarFile:
    """Open a plain archive as a stream, to be read by `members`.

    Raises:
        TarError: It begins with no header.
    """
    with _tar_errors():
        return tarfile.open(fileobj=_Ending(stream), mode="r|", bufsize=bufsize, tarinfo=_SoundInfo)


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield an archive's members, each forgotten before the next.

    Raises:
        TarError: There are too many of them, one is sparse or cannot be named, or a header is
            damaged.
    """
    for _ in range(MOST_MEMBERS):
        with _tar_errors():
            info = archive.next()
        if info is None:
            return
        _check(info)
        yield info
        archive.members = []  # type: ignore[attr-defined]  # tarfile keeps them all, for access at random
        if len(archive.pax_headers) > _MOST_GLOBAL_KEYS:
            raise tarfile.ReadError("its global headers are without end")
    raise tarfile.ReadError(f"it has more than {MOST_MEMBERS} members")


def is_utf8(name: str) -> bool:
    """Tell whether a name was UTF-8 in its header: `tarfile` keeps other bytes as surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(info: tarfile.TarInfo) -> None:
    """Refuse what extended headers made of a member."""
    if info.issparse():
        raise tarfile.ReadError(f"{info.name!r} is a file with holes, which images do not have")
    if info.size < 0 or "\0" in info.name + info.linkname:
        raise tarfile.ReadError(f"{info.name!r} has a header that cannot be one")
    if not (0 <= info.uid < _MOST_OWNER and 0 <= info.gid < _MOST_OWNER):
        raise tarfile.ReadError(f"{info.name!r} belongs to nobody that there can be")


class _Ending(io.RawIOBase):
    """A stream that is not asked again and again for what is not there.

    Data that should be skipped `tarfile` reads to the size that is told, also behind the end.
    """

    def __init__(self, stream: IO[bytes] | io.RawIOBase) -> None:
        self._stream, self._ends = stream, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._ends += not data
        if self._ends > _MOST_ENDS:
            raise tarfile.ReadError("it ends within a file")
        return data or b""


@contextmanager
def _tar_errors() -> Iterator[None]:
    """Turn what `tarfile` lets through into its own errors."""
    try:
        yield
    except RecursionError:
        raise tarfile.ReadError("too many headers stand before one file") from None
    except (ValueError, OverflowError, LookupError) as error:
        raise tarfile.ReadError("a header has a number or a name that is none") from error


class XzReader(io.RawIOBase):
    """What xz data unpacks to, in no more memory than its own tools take at their best.

    `lzma.LZMAFile` knows no bound, and the data says how much is needed.
    """

    _MOST_MEMORY_BYTES = 256 << 20

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._decoder = self._new_decoder()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return what comes next; nothing at the end.

        Raises:
            EOFError: The data was cut short.
            LZMAError: It is damaged, or wants too much memory.
        """
        while True:
            if self._decoder.eof and not self._begin_next():
                return b""
            data = self._packed.read(_CHUNK) if self._decoder.needs_input else b""
            if not data and self._decoder.needs_input:
                raise EOFError("the xz data is cut short")
            if found := self._decoder.decompress(data, size):
                return found

    def _begin_next(self) -> bool:
        """Go to a stream behind the one that ended, past the padding between them."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest and (data := self._packed.read(_CHUNK)):
            rest = data.lstrip(b"\0")
        if not rest:
            return False
        self._packed = cast("IO[bytes]", _Chained(rest, self._packed))
        self._decoder = self._new_decoder()
        return True

    def _new_decoder(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=self._MOST_MEMORY_BYTES)


class _Chained(io.RawIOBase):
    """Bytes, and then a stream."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self._first, self._rest = first, rest

    def read(self, size: int = -1) -> bytes:
        first, self._first = self._first, b""
        return first or self._rest.read(size)


class Believable(io.RawIOBase):
    """A stream of unpacked data, refused where there is more of it than is believable."""

    def __init__(self, stream: IO[bytes], limit_bytes: int) -> None:
        self._stream, self._left = stream, limit_bytes
        self._limit_bytes = limit_bytes

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return what comes next.

        Raises:
            TarError: It is more than may come.
        """
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError(f"it unpacks to more than {self._limit_bytes} bytes")
        return data


@contextmanager
def opened_layer(blob: Path) -> Iterator[tarfile.TarFile]:
    """Open a layer that is packed with gzip, to be read by `members`.

    Source: OCI image specification, layer.md.

    Raises:
        One of `UNREADABLE`: It is not here, is damaged, or unpacks to more than is believable.
    """
    limit_bytes = max(_RATIO_FREE_BYTES, MOST_RATIO * blob.stat().st_size)
    with (
        igzip.open(blob, "rb") as plain,  # type: ignore[no-untyped-call]
        open_tar(Believable(plain, limit_bytes)) as archive,
    ):
        yield archive
