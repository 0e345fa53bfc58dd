"""Packages to layers on one core, beside the bound: unpacking and sha256 of the same bytes."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from isal import isal_zlib
from lab import Lab
from sides import Side
from tables import BOUND
from trees import PLATFORM

from orchestrator.engines.assembler.jobs import make_deb_segment, make_wheel_layer
from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.lockfile import parse_lock
from orchestrator.model import LockedDeb, LockedWheel

MB = 1e6
WHEELS, DEBS = 5, 8
_VENV = Venv("/opt/venv", "3.11")
_AR_HEADER = 60


def wheel_to_layer(lab: Lab, case: str, _sides: Sequence[Side]) -> None:
    """The largest wheels of the real tree, each a layer, without bytecode."""
    wheels = _largest_wheels(lab)
    files = [_file(lab, wheel.sha256) for wheel in wheels]

    def lay_out(store: Path) -> None:
        for wheel, file in zip(wheels, files, strict=True):
            key, what = wheel.sha256, wheel.name
            make_wheel_layer(store, key, file, key, what, wheel.file, _VENV, None)

    size = sum(inflate_and_hash(file) for file in files)
    names = ", ".join(wheel.name for wheel in wheels)
    _measure(lab, case, lay_out, lambda: [inflate_and_hash(file) for file in files], size, names)


def deb_to_layer(lab: Lab, case: str, _sides: Sequence[Side]) -> None:
    """The largest Debian packages of the real tree: the bound unpacks them, and compresses not."""
    debs = _largest_debs(lab)
    files = [_file(lab, deb.sha256) for deb in debs]

    def lay_out(store: Path) -> None:
        for deb, file in zip(debs, files, strict=True):
            make_deb_segment(store, deb.sha256, file, deb, None)

    size = sum(unpack_and_hash(file) for file in files)
    names = ", ".join(deb.name for deb in debs)
    _measure(lab, case, lay_out, lambda: [unpack_and_hash(file) for file in files], size, names)


def _measure(
    lab: Lab,
    case: str,
    lay_out: Callable[[Path], None],
    bound: Callable[[], object],
    size_bytes: int,
    names: str,
) -> None:
    """Measure both in turn, on one core, in this process, in its processor time."""
    store = lab.work / "throughput"
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        for run in range(lab.runs):
            seconds = _seconds(lambda: lay_out(store))
            shutil.rmtree(store)
            lab.put(case, "rate", "orch", run, size_bytes / MB / seconds, "MB/s")
            lab.put(case, "rate", BOUND, run, size_bytes / MB / _seconds(bound), "MB/s")
    finally:
        os.sched_setaffinity(0, cores)
    lab.say(f"  {size_bytes / MB:.0f} MB unpacked: {names}")


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _largest_wheels(lab: Lab) -> list[LockedWheel]:
    images = parse_lock(lab.lock_text).images.values()
    wheels = {wheel for adds in images for wheel in adds.wheels}
    return sorted(wheels, key=lambda wheel: (-wheel.size_bytes, wheel.name))[:WHEELS]


def _largest_debs(lab: Lab) -> list[LockedDeb]:
    debs = {deb for adds in parse_lock(lab.lock_text).images.values() for deb in adds.debs}
    here = [deb for deb in debs if deb.architecture in {PLATFORM.debian, "all"}]
    return sorted(here, key=lambda deb: (-deb.size_bytes, deb.name))[:DEBS]


def _file(lab: Lab, sha256: str) -> Path:
    return lab.cache / "downloads" / sha256[:2] / sha256


def inflate_and_hash(file: Path) -> int:
    """Do what a wheel's bytes need at least, and return how many bytes they are, unpacked."""
    data = memoryview(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
    size = 0
    for info in infos:
        name = int.from_bytes(data[info.header_offset + 26 : info.header_offset + 28], "little")
        more = int.from_bytes(data[info.header_offset + 28 : info.header_offset + 30], "little")
        start = info.header_offset + 30 + name + more
        plain: bytes | memoryview = data[start : start + info.compress_size]
        if info.compress_type == zipfile.ZIP_DEFLATED:
            plain = isal_zlib.decompress(plain, -15, info.file_size or 1)
        hashlib.sha256(plain).digest()
        size += len(plain)
    return size


def unpack_and_hash(file: Path) -> int:
    """Do what a Debian package's bytes need at least; return how many they are, unpacked."""
    for name, data in _members(file.read_bytes()):
        if name.startswith("data.tar"):
            plain = lzma.decompress(data) if name.endswith(".xz") else data
            hashlib.sha256(plain).digest()
            return len(plain)
    return 0


def _members(data: bytes) -> Sequence[tuple[str, bytes]]:
    """Return the members of an ar archive (deb(5))."""
    found, at = [], len(b"!<arch>\n")
    while at + _AR_HEADER <= len(data):
        name = data[at : at + 16].decode().strip().rstrip("/")
        size = int(data[at + 48 : at + 58])
        at += _AR_HEADER
        found.append((name, data[at : at + size]))
        at += size + size % 2
    return found
