"""What is kept of wheels and sdists on this machine: named, checked, and let go of."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from orchestrator.wheelhouse.records import BuiltRecord, read_record

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ZIP = b"PK\x03\x04"


class Origin(Enum):
    """How a file came to be on this machine."""

    FETCHED = "fetched"
    BUILT = "built"


@dataclass(frozen=True, slots=True)
class Kept:
    """A wheel or an sdist on this machine; `used_s` is when it was last read, since 1970."""

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    origin: Origin
    used_s: float
    is_locked: bool


@dataclass(frozen=True, slots=True)
class Store:
    """The places of what is kept: downloads, records of builds, where files were found."""

    downloads: Path
    built: Path
    found: Path

    def path(self, sha256: str) -> Path:
        """Return where a file lies, or would lie."""
        return self.downloads / sha256[:2] / sha256

    def records(self) -> list[BuiltRecord]:
        """Return what was built on this machine, by name."""
        read = (read_record(file) for file in sorted(self.built.glob("*.json")))
        return sorted((r for r in read if r), key=lambda r: (r.name, r.version, r.sha256))

    def kept(self, locked: Mapping[str, str]) -> list[Kept]:
        """Return all wheels and sdists, by name; `locked` has the files of a lock by sha256."""
        records = {record.sha256: record for record in self.records()}
        names = {**_found_names(self.found), **{r.sha256: r.file for r in records.values()}}
        names |= locked
        kept = []
        for path in self._files():
            parsed = _parse(names.get(path.name) or _own_name(path))
            if parsed is None:
                continue
            status = path.stat()
            origin = Origin.BUILT if path.name in records else Origin.FETCHED
            kept.append(
                Kept(
                    *parsed,
                    path.name,
                    status.st_size,
                    origin,
                    status.st_mtime,
                    path.name in locked,
                )
            )
        return sorted(kept, key=lambda item: (item.name, item.version, item.file, item.sha256))

    def damaged(self, kept: Iterable[Kept]) -> list[Kept]:
        """Return those whose bytes are not what their name says."""
        return [item for item in kept if not self._is_whole(item.sha256)]

    def remove(self, kept: Iterable[Kept]) -> None:
        """Let go of files, and of the records of builds that lead to them."""
        gone = {item.sha256 for item in kept}
        for file in self.built.glob("*.json"):
            record = read_record(file)
            if record is None or record.sha256 in gone:
                file.unlink(missing_ok=True)
        for sha256 in gone:
            self.path(sha256).unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.downloads.glob("??/*")):
            if _SHA256.fullmatch(path.name):
                yield path

    def _is_whole(self, sha256: str) -> bool:
        try:
            with self.path(sha256).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return True  # another run let go of it meanwhile


def choose_unwanted(
    kept: Sequence[Kept],
    now_s: float,
    *,
    older_than_s: float | None = None,
    max_bytes: int | None = None,
    unlocked: bool = False,
    even_locked: bool = False,
) -> list[Kept]:
    """Return what is to go: what is old, what no lock holds, then the oldest until all is small.

    What the lock holds stays unless `even_locked`.
    """
    may_go = sorted(
        (item for item in kept if even_locked or not item.is_locked),
        key=lambda item: (item.used_s, item.file),
    )
    chosen = [
        item
        for item in may_go
        if (older_than_s is not None and item.used_s < now_s - older_than_s)
        or (unlocked and not item.is_locked)
    ]
    if max_bytes is None:
        return chosen
    left = sum(item.size_bytes for item in kept) - sum(item.size_bytes for item in chosen)
    for item in may_go:
        if left <= max_bytes:
            break
        if item not in chosen:
            chosen.append(item)
            left -= item.size_bytes
    return chosen


def _found_names(file: Path) -> dict[str, str]:
    """Return the names of files that were found on indexes, by sha256."""
    try:
        urls = json.loads(file.read_text("utf-8"))
        return {
            sha256: unquote(urlsplit(url).path).rpartition("/")[2] for sha256, url in urls.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _parse(file: str) -> tuple[str, str, str] | None:
    """Return name, version and file of a wheel or an sdist, or None if it is neither."""
    try:
        if file.endswith(".whl"):
            name, version, *_ = parse_wheel_filename(file)
        else:
            name, version = parse_sdist_filename(file)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return str(name), str(version), file


def _own_name(path: Path) -> str:
    """Return what a wheel calls itself, for one that nobody remembers; nothing for other files."""
    try:
        with path.open("rb") as file:
            if file.read(len(_ZIP)) != _ZIP:
                return ""
        with zipfile.ZipFile(path) as archive:
            texts = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
            if len(texts) != 1:
                return ""
            lines = archive.read(texts[0]).decode("utf-8").splitlines()
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError):
        return ""
    tags = [line.partition(":")[2].strip().split("-") for line in lines if line.startswith("Tag:")]
    if not tags or any(len(tag) != 3 for tag in tags):
        return ""
    joined = "-".join(".".join(sorted(set(parts))) for parts in zip(*tags, strict=True))
    return f"{texts[0].partition('.dist-info/')[0]}-{joined}.whl"
