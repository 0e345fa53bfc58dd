"""The workshop: wheels built from sdists, each once for the same inputs, kept by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator import logs
from orchestrator.errors import ArtifactError, OrchError, UnavailableError, disk_error
from orchestrator.fetch import Downloads
from orchestrator.model import LockedWheel, WheelBuild, WheelSettings
from orchestrator.resolve.python.offered import Target
from orchestrator.scratch import scratch_folder
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.building import build_wheel
from orchestrator.wheelhouse.host import HostPlace
from orchestrator.wheelhouse.places import BuildPlace, Ingredients, nowhere
from orchestrator.wheelhouse.records import BuiltRecord, build_key
from orchestrator.wheelhouse.running import Builds
from orchestrator.wheelhouse.shelf import Shelf
from orchestrator.wheelhouse.toolchain import Toolchain


@dataclass(frozen=True, slots=True)
class Places:
    """Where a workshop keeps things: records of builds, scratch folders, logs of the workspace."""

    folder: Path
    logs: Path
    root: Path


class Workshop:
    """Builds sdists. Threads and processes may share a folder: who comes second waits.

    `materials` are the downloads that sdists and build requirements come through, and in which
    the wheels are put; a workshop must not be called from within one of their threads. `build_in`
    are the places to build in: the first that gives no reason for doubt is taken. `built`
    are the sha256 of what was built in this run.
    """

    def __init__(
        self,
        places: Places,
        materials: Downloads,
        artifact: Callable[[LockedWheel], Artifact],
        settings: Mapping[str, WheelSettings],
        say: Callable[[str], None] = lambda _: None,
        build_in: Sequence[BuildPlace] = (HostPlace(),),
    ) -> None:
        self._places = places
        self._materials = materials
        self._artifact = artifact
        self._settings = settings
        self._say = say
        self._build_in = build_in
        self._builds = Builds()
        self._shelf = Shelf(places.folder, materials)
        self.built: set[str] = set()

    @property
    def warnings(self) -> list[str]:
        """Return what a person should know at the end of a run."""
        return self._shelf.warnings

    def stop(self) -> None:
        """End what is being built."""
        self._builds.stop()
        self._materials.stop()

    def make(self, build: WheelBuild, target: Target, *, anew: bool = False) -> WheelBuild:
        """Return the build with its wheel, which is then among the materials.

        What was built before from the same inputs on this machine is taken, unless `anew`.

        Raises:
            UnavailableError: It can be built in no place; the reason of each is named.
            FetchError: The sdist or a requirement cannot be had.
            ArtifactError: The build fails.
        """
        return next(self._makes(build, target, anew=anew))

    def _makes(
        self, build: WheelBuild, target: Target, *, anew: bool = False
    ) -> Iterator[WheelBuild]:
        """Yield what one place after the other makes of a build.

        Raises:
            UnavailableError: None could.
        """
        asked = self._settings.get(build.name, WheelSettings())
        reasons: dict[str, OrchError] = {}
        is_made = False
        for place, toolchain in self._possible(build, target, asked, reasons):
            try:
                yield self._make(build, target, place, toolchain, anew=anew)
                is_made = True
            except UnavailableError as error:
                reasons[place.where] = error
        if not is_made:
            places = [place.where for place in self._build_in]
            raise nowhere(build, {where: reasons[where] for where in places})

    def _possible(
        self,
        build: WheelBuild,
        target: Target,
        asked: WheelSettings,
        reasons: dict[str, OrchError],
    ) -> Iterator[tuple[BuildPlace, Toolchain]]:
        """Yield the places that a build is possible in, those in doubt last."""
        doubtful: list[tuple[BuildPlace, Toolchain]] = []
        for place in self._build_in:
            try:
                toolchain = place.find(build, target, asked)
            except UnavailableError as error:
                reasons[place.where] = error
                continue
            if toolchain.doubt:
                doubtful.append((place, toolchain))
            else:
                yield place, toolchain
        yield from doubtful

    def _make(
        self,
        build: WheelBuild,
        target: Target,
        place: BuildPlace,
        toolchain: Toolchain,
        *,
        anew: bool,
    ) -> WheelBuild:
        asked = self._settings.get(build.name, WheelSettings())
        key = build_key(build, toolchain, asked)
        with self._shelf.alone(key):
            record = None if anew else self._shelf.find(key)
            if record is None:
                record = self._build(build, target, place, toolchain, key)
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
        others = []
        for made in self._makes(build, target):
            if made.wheel is not None and made.wheel.sha256 == wheel.sha256:
                return (self._materials.path(wheel.sha256).as_uri(),)
            others.append(made)
        found = ", ".join(f"{one.wheel.sha256} ({one.compiler})" for one in others if one.wheel)
        # Another compiler cannot be expected to give the same: this machine is not at fault.
        is_same = any(made.compiler == build.compiler for made in others)
        kind = ArtifactError if is_same else UnavailableError
        raise kind(
            f"{build.title} was built again and is not what the lock records: expected sha256 "
            f"{wheel.sha256} ({build.compiler}), found {found}",
            hint=f"take it from a shared place (orch wheels pull), or record what is built "
            f"here: orch wheels --rebuild {build.name}",
        )

    def _build(
        self,
        build: WheelBuild,
        target: Target,
        place: BuildPlace,
        toolchain: Toolchain,
        key: str,
    ) -> BuiltRecord:
        asked = self._settings.get(build.name, WheelSettings())
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
        self._say(f"building {build.title} {place.where} with {toolchain.description}")
        with _scratch() as scratch:
            shown = str(log.relative_to(self._places.root))
            wheel = build_wheel(given, place, self._builds, scratch, log, shown)
            digest, size = self._shelf.keep(wheel)
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
        self._shelf.note(key, record)
        return record


@contextmanager
def _scratch() -> Iterator[Path]:
    try:
        with scratch_folder() as folder:
            yield folder
    except OSError as error:
        raise disk_error(error) from error
