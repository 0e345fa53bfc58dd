"""Sdists that can be built without a network, and a workshop that builds them, for tests."""

from __future__ import annotations

import io
import platform
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.fetch import Downloads
from orchestrator.model import LockedWheel, Platform, WheelBuild, WheelSettings
from orchestrator.resolve.python.offered import Target
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.host import HostPlace
from orchestrator.wheelhouse.places import BuildPlace
from orchestrator.wheelhouse.workshop import Places, Workshop
from tests.wheels import locked

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = f"cp{PYTHON.replace('.', '')}"
MACHINE = platform.machine()
HERE = Platform("linux", "arm64" if MACHINE == "aarch64" else "amd64")
TARGET = Target(HERE, PYTHON, (2, 99))
TIME_S = 1_600_000_000

_PROJECT = (
    '[build-system]\nrequires = [{requires}]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
)
_BACKEND = """
import os, subprocess, sysconfig, time, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    print("said by the build")
    with open("wheel.py") as file:
        exec(file.read(), {{"compile_extension": compile_extension}})
    name = "{name}-{version}-{tag}-{tag}-linux_{machine}.whl"
    text = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: false\\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        def put(path, data):
            archive.writestr(zipfile.ZipInfo(path, time.localtime()[:6]), data)
        extension = "ext" + sysconfig.get_config_var("EXT_SUFFIX")
        if os.path.exists(extension):
            with open(extension, "rb") as file:
                put(extension, file.read())
        if os.path.exists("made.txt"):
            with open("made.txt", "rb") as file:
                put("{name}_made.txt", file.read())
        put("{name}-{version}.dist-info/WHEEL", text + "Tag: {tag}-{tag}-linux_{machine}\\n")
        put("{name}-{version}.dist-info/METADATA",
            "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        put("{name}-{version}.dist-info/RECORD", "")
    return name

def compile_extension():
    flags = sysconfig.get_config_var("CFLAGS").split() + os.environ["CFLAGS"].split()
    shared = sysconfig.get_config_var("LDSHARED").split()
    target = "ext" + sysconfig.get_config_var("EXT_SUFFIX")
    subprocess.run([*shared, *flags, os.path.abspath("ext.c"), "-o", target], check=True)
"""
_EXTENSION = """
#include <stdio.h>
const char *where(void) { return __FILE__; }
int greet(const char *name) { return printf("%s %s", where(), name); }
"""
COMPILES = "compile_extension()\n"


def make_buildable(
    folder: Path,
    name: str = "native",
    version: str = "1.0",
    *,
    steps: str = COMPILES,
    extension: str = _EXTENSION,
    requires: str = "",
) -> Path:
    """Write an sdist whose own backend runs `steps`, Python in the sdist's folder."""
    parts = {"name": name, "version": version, "tag": TAG, "machine": MACHINE}
    files = {
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": _PROJECT.format(requires=requires),
        "backend.py": _BACKEND.format(**parts),
        "wheel.py": steps,
        "ext.c": extension,
    }
    return write_sdist(folder, f"{name}-{version}", files)


def write_sdist(folder: Path, root: str, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    sdist = folder / f"{root}.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{root}/{path}")
            info.size, info.mtime = len(text.encode()), TIME_S
            archive.addfile(info, io.BytesIO(text.encode()))
    return sdist


@dataclass
class Shop:
    """A workshop over a folder: its cache, its workspace, and the files that it is given."""

    folder: Path
    settings: dict[str, WheelSettings] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    build_in: Sequence[BuildPlace] = (HostPlace(),)
    _files: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.downloads = Downloads(self.folder / "cache/downloads", jobs=2)
        root = self.folder / "ws"
        places = Places(self.folder / "cache/wheelhouse", root / ".orch/logs/wheels", root)
        self.workshop = Workshop(
            places,
            self.downloads,
            self._artifact,
            self.settings,
            self.said.append,
            self.build_in,
        )

    def build(
        self, sdist: Path, *requires: Path, find: Callable[[Path], LockedWheel] = locked
    ) -> WheelBuild:
        """Return what a lock says of an sdist that is not built yet."""
        for file in (sdist, *requires):
            self._files[find(file).sha256] = file
        return WheelBuild(find(sdist), HERE, tuple(find(file) for file in requires))

    def make(self, sdist: Path, *requires: Path, anew: bool = False) -> LockedWheel:
        """Build an sdist and return its wheel."""
        made = self.workshop.make(self.build(sdist, *requires), TARGET, anew=anew).wheel
        assert made is not None
        return made

    def path(self, wheel: LockedWheel) -> Path:
        return self.downloads.path(wheel.sha256)

    @property
    def builds(self) -> int:
        """How often something was built."""
        return sum(line.startswith("building ") for line in self.said)

    def _artifact(self, wheel: LockedWheel) -> Artifact:
        file = self._files[wheel.sha256]
        return Artifact(wheel.file, wheel.sha256, wheel.size_bytes, lambda: [file.as_uri()])
