"""Building wheels in containers: the images for that, assembled where there are none yet."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from orchestrator.app.opened import Opened, archive_of
from orchestrator.app.tool_assembly import REQUIRES, TOOLS, Assembly
from orchestrator.atomic import write_text
from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.engines.docker.exchange import Exchange
from orchestrator.engines.docker.presence import private_tag
from orchestrator.engines.docker.wheel_place import ContainerPlace
from orchestrator.errors import FetchError
from orchestrator.fetch import Downloads
from orchestrator.links import open_shared
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import LockedDeb, LockedWheel, WheelBuild
from orchestrator.oci.layout import Layout
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.tools import resolve_tools, wanted_tools
from orchestrator.scratch import scratch_folder
from orchestrator.supply import Artifact
from orchestrator.wheelhouse.locate import deb_artifact


def container_place(
    opened: Opened,
    lock: Lock,
    materials: Downloads,
    wheel: Callable[[LockedWheel], Artifact],
    resources: ExitStack,
    say: Callable[[str], None],
) -> ContainerPlace:
    """Return containers as a place to build wheels in; nothing is asked of an engine yet.

    Downloads go through `materials`; `wheel` gives build requirements as things to fetch.
    """
    opening = threading.Lock()

    @functools.cache
    def open_engine() -> DockerEngine:
        engine = DockerEngine()
        resources.callback(engine.close)
        return engine

    def engine() -> DockerEngine:
        with opening:
            return open_engine()

    images = ToolImages(opened, lock, materials, wheel, say)
    return ContainerPlace(engine, images.find, images.layers)


class ToolImages:
    """Images that wheels are built in: what an image of ours holds, a compiler, headers.

    Which packages these are is decided once for the same contents, and kept; the image is made
    again wherever the engine has lost it. Threads and processes may want the same: one makes it.
    """

    def __init__(
        self,
        opened: Opened,
        lock: Lock,
        materials: Downloads,
        wheel: Callable[[LockedWheel], Artifact],
        say: Callable[[str], None],
    ) -> None:
        archive = archive_of(opened)
        self._opened = opened
        self._lock = lock
        self._say = say
        self._archive = archive
        self._is_offline = materials.is_offline
        self._assembly = Assembly(
            opened,
            materials,
            lambda deb: deb_artifact(deb, archive, lock.release_dates),
            wheel,
        )
        self._alone = threading.Lock()
        self._debs: dict[str, tuple[LockedDeb, ...]] = {}

    def find(self, engine: DockerEngine, build: WheelBuild, target: Target) -> str:
        """Return the tag of the image for a build, in an engine.

        Raises:
            OrchError: It cannot be made.
        """
        held = _held(self._opened, self._lock, build)
        essential = self._opened.workspace.settings.debian.essential
        wanted = wanted_tools(target.python, essential, build.system)
        file = self._opened.paths.wheelhouse / "tools" / f"{_key(target, held, wanted)}.json"
        with self._alone, _locked(file.with_suffix(".lock")):
            try:
                return self._find(engine, target, file, held, wanted)
            except FetchError:
                if self._is_offline or not file.is_file():
                    raise
                file.unlink()  # what was decided on then is no longer offered
                return self._find(engine, target, file, held, wanted)

    def layers(
        self, image: str, requires: Sequence[LockedWheel], target: Target, folder: Path
    ) -> list[Path]:
        """Return archives that give an image, which was found, an environment with wheels.

        Raises:
            OrchError: They cannot be had, or do not make a sound image.
        """
        if not requires:
            return [self._assembly.empty_environment(target, folder)]
        adds = {TOOLS: ImageLock(self._debs[image]), REQUIRES: ImageLock(wheels=tuple(requires))}
        made = self._assembly.make(adds, target, folder)
        return [Layout(folder).blob_path(layer.digest) for layer in made.layers]

    def _find(
        self,
        engine: DockerEngine,
        target: Target,
        file: Path,
        held: Mapping[str, LockedDeb],
        wanted: Sequence[str],
    ) -> str:
        debs, digest = _read(file)
        if not debs:
            universe = self._archive().universe(target.platform)
            debs = resolve_tools(universe, held, wanted)
        tag = private_tag(TOOLS, digest)
        if not digest or engine.find_image(tag) is None:
            self._say("assembling the image that wheels are built in")
            with scratch_folder() as folder:
                made = self._assembly.make({TOOLS: ImageLock(debs)}, target, folder)
                tag = Exchange(engine, Layout(folder)).to_engine(TOOLS, made.digest)
            document = {"image": made.digest, "debs": [asdict(deb) for deb in debs]}
            write_text(file, json.dumps(document, indent=1))
        self._debs[tag] = debs
        return tag


def _held(opened: Opened, lock: Lock, build: WheelBuild) -> dict[str, LockedDeb]:
    """Return the Debian packages of the first image that holds a wheel, its ancestors' included."""
    graph, platform = opened.graph, build.platform
    for name in graph.locked:
        adds = lock.images.get((name, platform))
        if adds and {build.sdist, build.wheel} & set(adds.wheels):
            return {
                deb.name: deb
                for image in graph.chain(name)
                for deb in lock.image(image.name, platform).debs
            }
    return {}


def _key(target: Target, held: Mapping[str, LockedDeb], wanted: Iterable[str]) -> str:
    inputs = (
        target.platform.key,
        target.python,
        sorted(deb.sha256 for deb in held.values()),
        sorted(wanted),
    )
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _read(file: Path) -> tuple[tuple[LockedDeb, ...], str]:
    """Read which packages an image was decided to have, and its digest; nothing if unknown."""
    try:
        raw = json.loads(file.read_text("utf-8"))
        return tuple(LockedDeb(**row) for row in raw["debs"]), raw["image"]
    except (OSError, ValueError, TypeError, KeyError):
        return (), ""


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with open_shared(file) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
