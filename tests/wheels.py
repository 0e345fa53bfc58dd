"""Wheels and sdists made in memory, for tests."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from orchestrator.engines.assembler.bytecode import Compiler
from orchestrator.engines.assembler.wheel.archive import WheelArchive
from orchestrator.engines.assembler.wheel.segment import Venv, write_wheel_segment
from orchestrator.model import LockedWheel
from orchestrator.oci.segment import SegmentInfo, SegmentWriter

VENV = Venv("/opt/venv", "3.11")
SITE = VENV.site_packages


def record_hash(data: bytes) -> str:
    """Return a digest as RECORD writes it."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.rstrip(b"=").decode()


def make_wheel(
    folder: Path,
    name: str = "sample",
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    tag: str = "py3-none-any",
    requires: Sequence[str] = (),
    entry_points: str = "",
    executable: Collection[str] = (),
    stored: Collection[str] = (),
    record: Mapping[str, str | None] | None = None,
) -> Path:
    """Write a wheel; `record` replaces hashes in RECORD, None leaves the file's row out."""
    dist_info = f"{name.replace('-', '_')}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    members = {
        **(files or {}),
        f"{dist_info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        ).encode(),
        f"{dist_info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
        ).encode(),
    }
    if entry_points:
        members[f"{dist_info}/entry_points.txt"] = entry_points.encode()
    hashes: dict[str, str | None] = {path: record_hash(data) for path, data in members.items()}
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    for path, digest in (hashes | dict(record or {})).items():
        if digest is not None:
            rows.writerow((path, digest, len(members.get(path, b""))))
    rows.writerow((f"{dist_info}/RECORD", "", ""))
    members[f"{dist_info}/RECORD"] = out.getvalue().encode()
    wheel = folder / f"{name.replace('-', '_')}-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in members.items():
            archive.writestr(
                member_info(path, 0o755 if path in executable else 0o644),
                data,
                zipfile.ZIP_STORED if path in stored else zipfile.ZIP_DEFLATED,
            )
    return wheel


def member_info(path: str, mode: int = 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path)
    info.external_attr = (0o100000 | mode) << 16
    return info


def make_sdist(folder: Path, name: str, version: str) -> Path:
    """Write an sdist that says what it needs, so that nobody has to build it to know."""
    text = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'.encode()
    folder.mkdir(parents=True, exist_ok=True)
    sdist = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for path, data in (("PKG-INFO", text), ("pyproject.toml", project)):
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sdist


def locked(file: Path) -> LockedWheel:
    """Return what a lock says of a wheel or an sdist."""
    data = file.read_bytes()
    name, version = file.name.removesuffix(".tar.gz").split("-")[:2]
    digest = hashlib.sha256(data).hexdigest()
    return LockedWheel(name.replace("_", "-"), version, file.name, digest, len(data))


def lay_wheel(
    wheel: Path, venv: Venv = VENV, compiler: Compiler | None = None
) -> tuple[SegmentInfo, bytes]:
    """Make the segment of a wheel; return its info and its bytes."""
    out = io.BytesIO()
    writer = SegmentWriter(out)
    with WheelArchive(wheel, wheel.name) as archive:
        write_wheel_segment(archive, venv, writer, compiler)
    return writer.close(), out.getvalue()


def members_of(segment: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Read a segment's or a layer's members: header and data, by path."""
    with tarfile.open(fileobj=io.BytesIO(segment), mode="r:gz") as archive:
        return {
            info.name: (info, file.read() if (file := archive.extractfile(info)) else b"")
            for info in archive.getmembers()
            if not info.issym()
        }
