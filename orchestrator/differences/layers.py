"""The files of an image, read off its layers."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from orchestrator.errors import AssemblyError
from orchestrator.oci.reading import UNREADABLE, members, opened_layer

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A member of a layer: what it is as a text that says everything but its time, and its size."""

    what: str
    size_bytes: int = 0


@dataclass(slots=True)
class _Layer:
    files: dict[str, ReadFile] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FileReader:
    """Reads each layer once, however many images share it."""

    _known: dict[Path, _Layer] = field(default_factory=dict)

    def read(self, layers: Iterable[Path]) -> dict[str, ReadFile]:
        """Return an image's files by path, given its layers from the bottom up.

        Source: OCI image specification, layer.md, "Whiteouts".

        Raises:
            AssemblyError: A layer is not here, is damaged, or is not gzip.
        """
        files: dict[str, ReadFile] = {}
        for path in layers:
            if path not in self._known:
                self._known[path] = _read_layer(path)
            layer = self._known[path]
            below = [f"{folder}/" if folder else "" for folder in (*layer.emptied, *layer.gone)]
            for known in [one for one in files if one in layer.gone or _is_below(one, below)]:
                del files[known]
            files |= layer.files
        return files


def _is_below(path: str, folders: list[str]) -> bool:
    return bool(folders) and path.startswith(tuple(folders))


def _read_layer(path: Path) -> _Layer:
    layer = _Layer()
    try:
        with opened_layer(path) as archive:
            for member in members(archive):
                _read_member(archive, member, layer)
    except UNREADABLE as error:
        raise AssemblyError(
            f"layer {path.name} cannot be read: {error}",
            hint="build its image again with orch build --force, or push it again from where it is "
            "whole",
        ) from error
    return layer


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, layer: _Layer) -> None:
    path = str(PurePosixPath(member.name.lstrip("/")))
    folder, _, name = path.rpartition("/")
    if name == _OPAQUE:
        layer.emptied.append(folder)
    elif name.startswith(_WHITEOUT):
        layer.gone.append(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
    else:
        what = f"{member.type.decode()} {member.mode:o} {member.uid}:{member.gid}"
        content = _digest(archive, member) if member.isreg() else member.linkname
        layer.files[path] = ReadFile(f"{what} {content}".rstrip(), member.size)


def _digest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    digest, file = hashlib.sha256(), archive.extractfile(member)
    while file and (data := file.read(_CHUNK_BYTES)):
        digest.update(data)
    return digest.hexdigest()
