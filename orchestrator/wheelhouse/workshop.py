"""The workshop: wheels built from sdists, each once for the same inputs, kept by content."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from orchestrator import logs
from orchestrator.atomic import replacing, write_text
from orchestrator.errors import ArtifactError, UnavailableError, disk_error
from orchestrator.fetch import Artifact, Downloads
from orchestrator.model import LockedWheel, WheelBuild, WheelSettings
from orchestrator.resolve.python.uv import Target
from orchestrator.wheelhouse.building import Builds, Ingredients, build_wheel
from orchestrator.wheelhouse.toolchain import Toolchain, find_toolchain

_FORMAT = 1
"""Raised when the same inputs begin to give other bytes."""


@dataclass(frozen=True, slots=True)
class BuiltRecord:
    """What a build gave, and of what: kept under the key of its inputs."""

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    sdist: str
    platform: str
    compiler: str
    requires: tuple[str, ...] = ()
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a workshop keeps things: records of builds, scratch folders, logs of the workspace."""

    folder: Path
    logs: Path
    root: Path


class Workshop:
    """Builds sdists. Threads and processes may share a folder: who comes second waits.

    `materials` are the downloads that sdists and build requirements come through, and in which
    the wheels are put; a workshop must not be called from within one of their threads. `built`
    are the sha256 of what was built in this run, `warnings` what a person should know at its end.
    """

    def __init__(
        self,
        places: Places,
        materials: Downloads,
        artifact: Callable[[LockedWheel], Artifact],
        settings: Mapping[str, WheelSettings],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._places = places
        self._materials = materials
        self._artifact = artifact
        self._settings = settings
        self._say = say
        self._builds = Builds()
        self._lock = threading.Lock()
        self._one_by_one: dict[str, threading.Lock] = {}
        self.built: set[str] = set()
        self.warnings: list[str] = []

    def stop(self) -> None:
        """End what is being built."""
        self._builds.stop()
        self._materials.stop()

    def make(self, build: WheelBuild, target: Target, *, anew: bool = False) -> WheelBuild:
        """Return the build with its wheel, which is then among the materials.

        What was built before from the same inputs on this machine is taken, unless `anew`.

        Raises:
            UnavailableError: This machine cannot build it.
            FetchError: The sdist or a requirement cannot be had.
            ArtifactError: The build fails.
        """
        asked = self._settings.get(build.name, WheelSettings())
        compiler = asked.env.get("CC", "gcc")
        toolchain = find_toolchain(target.python, build.platform, compiler)
        key = build_key(build, toolchain, asked)
        with self._alone(key):
            record = None if anew else self._known(key)
            if record is None:
                record = self._build(build, target, toolchain, asked, key)
        wheel = LockedWheel(
            build.name, build.sdist.version, record.file, record.sha256, record.size_bytes
        )
        return replace(build, wheel=wheel, compiler=record.compiler)

    def artifact(self, build: WheelBuild, wheel: LockedWheel, target: Target) -> Artifact:
        """Return a wheel that the lock says was built: built again where no level has it."""
        return Artifact(
            wheel.file,
            wheel.sha256,
            wheel.size_bytes,
            lambda: self._again(build, wheel, target),
            gone_hint=f"run: orch wheels --rebuild {wheel.name}",
            is_shared=True,
        )

    def _again(self, build: WheelBuild, wheel: LockedWheel, target: Target) -> Sequence[str]:
        made = self.make(build, target)
        if made.wheel is None or made.wheel.sha256 != wheel.sha256:
            found = made.wheel.sha256 if made.wheel else "nothing"
            # Another compiler cannot be expected to give the same: this machine is not at fault.
            kind = ArtifactError if made.compiler == build.compiler else UnavailableError
            raise kind(
                f"{build.title} was built again and is not what the lock records: expected sha256 "
                f"{wheel.sha256} ({build.compiler}), found {found} ({made.compiler})",
                hint=f"take it from a shared place (orch wheels pull), or record what is built "
                f"here: orch wheels --rebuild {build.name}",
            )
        return (self._materials.path(wheel.sha256).as_uri(),)

    def _known(self, key: str) -> BuiltRecord | None:
        """Return what these inputs gave before, if it is still there and whole."""
        record = read_record(self._record(key))
        if record is None:
            return None
        path = self._materials.path(record.sha256)
        try:
            with path.open("rb") as file:
                is_whole = hashlib.file_digest(file, "sha256").hexdigest() == record.sha256
        except FileNotFoundError:
            return None
        if not is_whole:
            warning = f"{record.file} was damaged in the cache; thrown away and built again"
            self.warnings.append(warning)
            path.unlink(missing_ok=True)
            return None
        return record

    def _build(
        self,
        build: WheelBuild,
        target: Target,
        toolchain: Toolchain,
        asked: WheelSettings,
        key: str,
    ) -> BuiltRecord:
        sdist = self._materials.start(self._artifact(build.sdist))
        requires = {
            item.file: self._materials.start(self._artifact(item)) for item in build.requires
        }
        given = Ingredients(
            build,
            target,
            toolchain,
            sdist.result(),
            {name: future.result() for name, future in requires.items()},
            asked.env,
        )
        log = self._places.logs / f"{build.name}.log"
        self._say(f"building {build.title} with {toolchain.description}")
        (self._places.folder / "building").mkdir(parents=True, exist_ok=True)
        with _scratch(self._places.folder / "building") as scratch:
            shown = str(log.relative_to(self._places.root))
            wheel = build_wheel(given, self._builds, scratch, log, shown)
            digest, size = self._keep(wheel)
        logs.event("wheel.built", file=wheel.name, sha256=digest, size_bytes=size)
        record = BuiltRecord(
            build.name,
            build.sdist.version,
            wheel.name,
            digest,
            size,
            build.sdist.sha256,
            build.platform.key,
            toolchain.description,
            tuple(f"{item.name}=={item.version}" for item in build.requires),
            build.settings,
        )
        self.built.add(digest)
        write_text(self._record(key), json.dumps(asdict(record), indent=1), sync=True)
        return record

    def _keep(self, wheel: Path) -> tuple[str, int]:
        """Put a wheel among the materials, under its digest."""
        with wheel.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            source.seek(0)
            with replacing(self._materials.path(digest), sync=True) as out:
                shutil.copyfileobj(source, out)
        return digest, wheel.stat().st_size

    def _record(self, key: str) -> Path:
        return self._places.folder / "built" / f"{key}.json"

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Keep other threads and processes from building the same until the block ends."""
        file = self._record(key).with_suffix(".lock")
        with self._lock:
            mine = self._one_by_one.setdefault(key, threading.Lock())
        file.parent.mkdir(parents=True, exist_ok=True)
        with mine, file.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def build_key(build: WheelBuild, toolchain: Toolchain, asked: WheelSettings) -> str:
    """Return the digest of all that decides a built wheel's bytes."""
    inputs = {
        "format": _FORMAT,
        "sdist": build.sdist.sha256,
        "requires": sorted(item.sha256 for item in build.requires),
        "platform": build.platform.key,
        "implementation": toolchain.implementation,
        "toolchain": toolchain.description,
        "system": sorted(build.system),
        "env": dict(sorted(asked.env.items())),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def read_record(file: Path) -> BuiltRecord | None:
    """Read what a build gave; None where nothing is known, or it cannot be read."""
    try:
        raw = json.loads(file.read_text("utf-8"))
        return BuiltRecord(**{**raw, "requires": tuple(raw["requires"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="w") as scratch:
            yield Path(scratch).resolve()
    except OSError as error:
        raise disk_error(error, Path(error.filename or folder)) from error
