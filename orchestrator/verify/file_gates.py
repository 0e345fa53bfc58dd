"""Gates on an image's files: who may write or gain rights, what was forgotten, what is missing."""

from __future__ import annotations

import re

from orchestrator.engines.assembler.linking import foreign_files
from orchestrator.verify.components import Origin
from orchestrator.verify.gate import Gate, Subject, Verdict, failed, listed, passed
from orchestrator.verify.layers import LayerFile
from orchestrator.verify.linker import find_missing

_SET_ID, _STICKY, _OTHERS_WRITE = 0o6000, 0o1000, 0o002
_COMPILER = re.compile(
    r"usr/(?:local/)?(?:bin|lib/gcc/.*)/(?:[\w]+-linux-gnu-)?"
    r"(?:gcc|g\+\+|cc1(?:plus)?|clang(?:\+\+)?|rustc|ld\.bfd)(?:-[\d.]+)?"
)
_CACHES = (
    "var/cache/apt/archives/",
    "var/lib/apt/lists/",
    "root/.cache/",
    "root/.npm/",
    "root/.cargo/registry/",
)
_EMPTY = re.compile(r".*/(?:lock|partial)")


def _libraries(subject: Subject) -> Verdict:
    elves, machine = list(subject.contents.elves.values()), subject.platform.machine
    missing = find_missing(
        subject.contents, subject.platform, subject.venv, subject.optional_libraries
    )
    foreign = foreign_files(elves, machine)
    measured = {
        "elf_files": len(elves),
        "missing": [{"file": f"/{row.path}", "library": row.library} for row in missing],
        "foreign": [f"/{path}" for path in foreign],
    }
    if missing:
        rows = [f"/{row.path} needs {row.library}" for row in missing]
        return failed(f"libraries are nowhere in the image: {listed(rows)}", **measured)
    if foreign:
        return failed(f"not for {subject.platform}: {listed(foreign)}", **measured)
    return passed(f"{len(elves)} ELF files find all they need", **measured)


def _set_id(subject: Subject) -> Verdict:
    found = [f for f in subject.contents.files.values() if f.kind == "file" and f.mode & _SET_ID]
    owned = [f for f in found if subject.owners.get(f.path, (None,))[0] is Origin.DEBIAN]
    others = [f"/{file.path}" for file in found if file not in owned]
    measured = {"of_packages": [f"/{file.path}" for file in owned], "others": others}
    if others:
        return failed(
            f"run as their owner, and are of no Debian package: {listed(others)}", **measured
        )
    return passed(f"{len(owned)} files, all of Debian packages" if owned else "none", **measured)


def _world_writable(subject: Subject) -> Verdict:
    found = [f"/{f.path}" for f in subject.contents.files.values() if _may_anybody_write(f)]
    if found:
        return failed(f"anybody may write to: {listed(found)}", paths=found)
    return passed("none outside /tmp", paths=[])


def _may_anybody_write(file: LayerFile) -> bool:
    if file.path == "tmp" or file.path.startswith("tmp/") or file.kind == "symlink":
        return False
    is_shared = file.kind == "directory" and bool(file.mode & _STICKY)
    return bool(file.mode & _OTHERS_WRITE) and not is_shared


def _devices(subject: Subject) -> Verdict:
    found = [f"/{f.path}" for f in subject.contents.files.values() if f.kind == "device"]
    return failed(f"device nodes: {listed(found)}", paths=found) if found else passed("none")


def _leftovers(subject: Subject) -> Verdict:
    compilers = [f"/{path}" for path in subject.contents.files if _COMPILER.fullmatch(path)]
    cached = [
        file
        for file in subject.contents.below(_CACHES)
        if file.kind == "file" and file.size_bytes and not _EMPTY.fullmatch(file.path)
    ]
    size_bytes = sum(file.size_bytes for file in cached)
    measured = {
        "compilers": sorted(compilers),
        "cached": [f"/{file.path}" for file in cached],
        "cached_bytes": size_bytes,
    }
    parts = [f"compilers: {listed(sorted(compilers))}"] if compilers else []
    if cached:
        shown = listed([f"/{file.path}" for file in cached], 3)
        parts.append(f"caches of package managers, {size_bytes / 1e6:.1f} MB: {shown}")
    if parts and subject.is_service:
        return failed("; ".join(parts), **measured)
    return passed("; ".join(parts) or "no compilers, no caches", **measured)


FILE_GATES = (
    Gate("libraries", "every ELF file finds its libraries in the image", _libraries),
    Gate("setuid", "no setuid or setgid files but those of Debian packages", _set_id),
    Gate("world-writable", "nothing outside /tmp that anybody may write to", _world_writable),
    Gate("devices", "no device nodes", _devices),
    Gate("leftovers", "no compilers, no caches of package managers", _leftovers),
)
