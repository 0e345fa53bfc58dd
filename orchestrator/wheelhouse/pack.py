"""Writing a built wheel again so that equal contents are equal bytes, under an honest name."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import time
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from orchestrator.errors import ArtifactError

_LEVEL = 9
_MOST_BYTES = 4 << 30
_UNREADABLE = (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError, OSError)
_UNIX = 3
_REGULAR = 0o100000


def pack_wheel(wheel: Path, folder: Path, platform: str | None, time_s: int) -> Path:
    """Write a wheel anew into a folder: members sorted, one time, modes 0644 or 0755.

    `platform` takes the place of the platform in its name and its tags; None leaves them.
    RECORD is written anew (PEP 427) and stands last.

    Raises:
        ArtifactError: The file is no wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) > _MOST_BYTES:
                raise zipfile.BadZipFile(f"it holds more than {_MOST_BYTES} bytes")
            members = {
                info.filename: (archive.read(info), bool((info.external_attr >> 16) & 0o111))
                for info in infos
            }
        parse_wheel_filename(wheel.name)
    except (*_UNREADABLE, InvalidWheelFilename) as error:
        raise ArtifactError(
            f"{wheel.name} is no wheel: {error}", hint="pin another version of the package"
        ) from error
    dist_info = _dist_info(members, wheel.name)
    name = wheel.name
    if platform is not None:
        name = f"{name.removesuffix('.whl').rpartition('-')[0]}-{platform}.whl"
        path = f"{dist_info}/WHEEL"
        members[path] = (_with_tags(members[path][0], name), False)
    record = f"{dist_info}/RECORD"
    members.pop(record, None)
    order = sorted(members, key=lambda path: (path.startswith(f"{dist_info}/"), path))
    rows = [(path, _record_hash(members[path][0]), len(members[path][0])) for path in order]
    members[record] = (_record(rows, record), False)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path in [*order, record]:
            data, is_executable = members[path]
            info = _info(path, time_s, is_executable=is_executable)
            archive.writestr(info, data, zipfile.ZIP_DEFLATED, _LEVEL)
    return folder / name


def holds(wheel: Path, text: str) -> list[str]:
    """Return the members that have a text in them: such as the folder they were made in."""
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if text.encode() in archive.read(name)]


def _dist_info(members: Iterable[str], name: str) -> str:
    folders = {path.partition("/")[0] for path in members if path.endswith(".dist-info/WHEEL")}
    if len(folders) != 1:
        raise ArtifactError(
            f"{name} is no wheel: it has no .dist-info/WHEEL, or several",
            hint="pin another version of the package",
        )
    return folders.pop()


def _with_tags(text: bytes, name: str) -> bytes:
    """Replace the tags in WHEEL by those of the file's name."""
    lines = [
        line for line in text.decode("utf-8", "replace").splitlines() if not line.startswith("Tag:")
    ]
    tags: Iterable[Tag] = parse_wheel_filename(name)[3]
    kept = [line for line in lines if line.strip()]
    return "".join(f"{line}\n" for line in [*kept, *sorted(f"Tag: {tag}" for tag in tags)]).encode()


def _record(rows: Iterable[tuple[str, str, int]], record: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(rows)
    writer.writerow((record, "", ""))
    return out.getvalue().encode()


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.rstrip(b"=").decode()


def _info(path: str, time_s: int, *, is_executable: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, time.gmtime(time_s)[:6])
    info.create_system = _UNIX
    info.external_attr = (_REGULAR | (0o755 if is_executable else 0o644)) << 16
    return info
