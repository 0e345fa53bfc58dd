"""A workspace on its way to another machine: its files as one archive, named by its digest."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import disk_error
from orchestrator.files import source_path
from orchestrator.git import present_files
from orchestrator.model import Workspace

_LEFT_OUT = frozenset({".git", ".orch"})
_LEVEL = 1
_unpacking = threading.Lock()


@dataclass(frozen=True, slots=True)
class Parcel:
    """An archive of a workspace; equal files make equal archives."""

    data: bytes
    digest: str

    @classmethod
    def of(cls, workspace: Workspace) -> Parcel:
        """Pack the files of a workspace that images can be made of.

        These are all that git does not ignore, and all in the folders of images, ignored or not,
        for a build may copy them. Where git knows nothing of the workspace, it is all there is.

        Raises:
            OrchError: A file cannot be read.
        """
        packed = io.BytesIO()
        try:
            with (
                gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_LEVEL, mtime=0) as stream,
                tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
            ):
                for path in sorted(_paths(workspace)):
                    archive.add(workspace.root / path, path, recursive=False, filter=_neutral)
        except OSError as error:
            raise disk_error(error, Path(error.filename or workspace.root)) from error
        data = packed.getvalue()
        return cls(data, hashlib.sha256(data).hexdigest())

    def unpack(self, below: Path) -> Path:
        """Return the folder that has the files, below another one; it may have them already.

        Raises:
            OSError: It cannot be written.
        """
        place = below / self.digest[:16]
        with _unpacking:
            if not place.is_dir():
                below.mkdir(parents=True, exist_ok=True)
                with (
                    tempfile.TemporaryDirectory(dir=below) as scratch,
                    tarfile.open(fileobj=io.BytesIO(self.data), mode="r:gz") as archive,
                ):
                    archive.extractall(Path(scratch, "files"), filter="tar")
                    Path(scratch, "files").rename(place)
        return place


def _paths(workspace: Workspace) -> set[str]:
    """Return the paths of files and links, from the root; folders come with what is in them."""
    root = workspace.root
    known = present_files(root)
    folders = list(_folders(workspace)) if known else [root]
    found = {path for path in known if not _LEFT_OUT.intersection(path.split("/"))}
    return found | {os.path.relpath(path, root) for path in _walk(folders)}


def _folders(workspace: Workspace) -> Iterator[Path]:
    """Return the places that definitions name, as far as they are in the workspace."""
    root = workspace.root
    for image in workspace.images.values():
        places = [root / image.path, root / image.file]
        places += [source_path(workspace, image, copy) for copy in image.recipe.files]
        if image.build is not None:
            places += [root / at for at in image.build.settings.options.contexts.values()]
        for place in places:
            inside = Path(os.path.normpath(place))
            if inside.is_relative_to(root) and os.path.lexists(inside):
                yield inside


def _walk(places: Iterable[Path]) -> Iterator[str]:
    for place in places:
        if place.is_symlink() or not place.is_dir():
            yield str(place)
            continue
        for folder, names, files in os.walk(place):
            links = [name for name in names if os.path.islink(os.path.join(folder, name))]  # noqa: PTH114, PTH118 - text, for speed
            names[:] = [name for name in names if name not in _LEFT_OUT and name not in links]
            yield from (f"{folder}/{name}" for name in (*files, *links))


def _neutral(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Keep what fingerprints look at: path, kind, mode and bytes; sockets and pipes do not go."""
    if not (member.isfile() or member.issym()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member
