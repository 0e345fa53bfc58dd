"""Makes an image of nothing but busybox, as an archive that `docker load` takes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

_APPLETS = ("sh", "cat", "echo", "httpd", "id", "mkdir", "sleep", "touch")


def make_archive(name: str, busybox: Path, command: Sequence[str]) -> bytes:
    """Return a docker-archive of one layer whose gzip stream has a member per tar member."""
    plain, layer = _layer(busybox)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(command), "User": "1000:1000"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [f"{name}:latest"], "Layers": ["layer.tar"]}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        _add(archive, "config.json", json.dumps(config).encode())
        _add(archive, "layer.tar", layer)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return out.getvalue()


def _layer(busybox: Path) -> tuple[bytes, bytes]:
    """Return the layer plain, and as one gzip member for each tar member."""
    members = [_member("bin", kind=tarfile.DIRTYPE, mode=0o755)]
    members.append(_member("bin/busybox", busybox.read_bytes(), mode=0o755))
    members += [_member(f"bin/{a}", kind=tarfile.SYMTYPE, link="busybox") for a in _APPLETS]
    members += [_member("etc", kind=tarfile.DIRTYPE, mode=0o755)]
    members += [_member("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")]
    members += [_member("etc/group", b"root:x:0:\n")]
    members += [_member("www", kind=tarfile.DIRTYPE, mode=0o755)]
    members += [_member("www/health", b"ok\n"), bytes(2 * tarfile.BLOCKSIZE)]
    compressed = (gzip.compress(member, mtime=0) for member in members)
    return b"".join(members), b"".join(compressed)


def _member(
    path: str,
    data: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    link: str = "",
) -> bytes:
    info = tarfile.TarInfo(path)
    info.size, info.type, info.mode, info.linkname = len(data), kind, mode, link
    return info.tobuf() + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
