"""The packages that layers hold: Debian's by dpkg's own notes, Python's by their metadata."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name

from orchestrator.attest.bill import Distribution, Package, PackageKind
from orchestrator.oci.reading import UNREADABLE, members, opened_layer
from orchestrator.resolve.debian.deb822 import parse_paragraphs

_DPKG = re.compile(r"var/lib/dpkg/(?:status|status\.d/[^/]+(?<!\.md5sums))")
_PYTHON = re.compile(r"(?:.*/site-packages|usr/local/.*/dist-packages)/[^/]+\.dist-info/METADATA")
"""Python packages of Debian's own packages are left out: they are listed as those."""
_RELEASE = re.compile(r"(?:usr/lib|etc)/os-release")
_MOST_BYTES = 32 << 20
"""More of a file is not read: dpkg's status of 5,000 packages is a sixth of it."""
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Found:
    """Packages in their order; `unread` is how many layers were not to be had or read."""

    packages: tuple[Package, ...]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class _Layer:
    """The files of a layer that tell of packages, and the paths that it takes away."""

    files: Mapping[str, bytes]
    gone: tuple[str, ...]


@dataclass(slots=True)
class LayerReader:
    """Reads each layer once, however many images share it; not for several threads at once."""

    _read: dict[Path, _Layer | None] = field(default_factory=dict)

    def find(self, layers: Iterable[Path]) -> Found:
        """Find the packages of an image, given its layers from the bottom up.

        Layers that are not here, are damaged or are neither plain nor gzip are counted.

        Source: OCI image specification, layer.md, "Whiteouts".
        """
        files: dict[str, bytes] = {}
        unread = 0
        for path in layers:
            layer = self._layer(path)
            if layer is None:
                unread += 1
                continue
            for known in [key for key in files if any(_is_below(key, at) for at in layer.gone)]:
                del files[known]
            files.update(layer.files)
        return Found(tuple(_packages(files)), unread)

    def _layer(self, path: Path) -> _Layer | None:
        if path not in self._read:
            self._read[path] = _read_layer(path)
        return self._read[path]


def _read_layer(path: Path) -> _Layer | None:
    try:
        with opened_layer(path) as archive:
            return _read_members(archive)
    except UNREADABLE:
        return None


def _read_members(archive: tarfile.TarFile) -> _Layer:
    files: dict[str, bytes] = {}
    gone: list[str] = []
    for member in members(archive):
        path = str(PurePosixPath(member.name.lstrip("/")))
        name = path.rpartition("/")[2]
        folder = path.removesuffix(name)
        if name == _OPAQUE:
            gone.append(folder.rstrip("/"))
        elif name.startswith(_WHITEOUT):
            gone.append(folder + name.removeprefix(_WHITEOUT))
        elif member.isreg() and any(kind.fullmatch(path) for kind in (_DPKG, _PYTHON, _RELEASE)):
            file = archive.extractfile(member)
            files[path] = file.read(_MOST_BYTES) if file else b""
    return _Layer(files, tuple(gone))


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _packages(files: Mapping[str, bytes]) -> Iterator[Package]:
    distribution = _distribution(files)
    for path in sorted(files):
        if _DPKG.fullmatch(path):
            yield from _debian(files[path], distribution)
        elif _PYTHON.fullmatch(path):
            yield from _python(files[path])


def _distribution(files: Mapping[str, bytes]) -> Distribution:
    """Return what os-release(5) says; Debian where an image has none."""
    text = files.get("etc/os-release") or files.get("usr/lib/os-release") or b""
    lines = text.decode("utf-8", "replace").splitlines()
    told = {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}
    return Distribution(told.get("ID") or "debian", told.get("VERSION_CODENAME", ""))


def _debian(text: bytes, distribution: Distribution) -> Iterator[Package]:
    for fields in parse_paragraphs(text.decode("utf-8", "replace")):
        is_installed = fields.get("status", "install ok installed").endswith(" installed")
        if is_installed and fields.get("package") and fields.get("version"):
            yield Package(
                PackageKind.DEBIAN,
                fields["package"],
                fields["version"],
                fields.get("architecture", ""),
                distribution,
            )


def _python(text: bytes) -> Iterator[Package]:
    raw, _ = parse_email(text)
    if raw.get("name") and raw.get("version"):
        yield Package(PackageKind.PYTHON, canonicalize_name(raw["name"]), raw["version"])
