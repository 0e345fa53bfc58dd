"""Building wheels in a container: as the images are, with a compiler, and with no network."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from orchestrator.engines.docker import hook_worker
from orchestrator.engines.docker.containers import Container
from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.errors import (
    ArtifactError,
    InterruptedByUserError,
    MissingToolError,
    OrchError,
    UnavailableError,
)
from orchestrator.model import LockedWheel, Platform, WheelBuild, WheelSettings
from orchestrator.oci.reading import members, open_tar
from orchestrator.printable import short
from orchestrator.resolve.python.offered import Target
from orchestrator.wheelhouse.flags import environment, write_flags
from orchestrator.wheelhouse.places import Ingredients, Work
from orchestrator.wheelhouse.running import Builds
from orchestrator.wheelhouse.sdist import read_backend
from orchestrator.wheelhouse.toolchain import SHARED, Toolchain

ROOT = "/build"
"""The folder of a build in its container: the one that builds elsewhere pretend to be in."""
VENV = f"{ROOT}/env"
USER = 1000

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LABEL = "orch: build of a wheel"
_START = "start Docker, or set DOCKER_HOST or a docker context"
_ASK = """
import json, os, platform, subprocess, sys
def first(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True)
    except OSError:
        return ""
    return (done.stdout.splitlines() or [""])[0].strip()
kind = platform.python_implementation()
parts = [first(*sys.argv[1].split(), "--version"), first("ld", "--version"),
         os.confstr("CS_GNU_LIBC_VERSION"), kind + " " + platform.python_version()]
print(json.dumps([kind, ", ".join(filter(None, parts))]))
"""

Tools = Callable[[DockerEngine, WheelBuild, Target], str]
"""Gives the tag, in an engine, of the image that builds happen in."""
Layers = Callable[[str, Sequence[LockedWheel], Target, Path], Sequence[Path]]
"""Gives archives of an environment in `VENV` with build requirements, for the image of a tag,
made below a folder."""


class ContainerPlace:
    """Containers of a Docker engine, as a place where wheels are built.

    `engine` is opened when it is first wanted. All that a build takes goes in as an archive, and
    so does its wheel come out: the engine may be on another machine.
    """

    where = "in a container"
    name = "the container"

    def __init__(self, engine: Callable[[], DockerEngine], tools: Tools, layers: Layers) -> None:
        self._engine = engine
        self._tools = tools
        self._layers = layers
        self._known: dict[tuple[str, str], Toolchain] = {}

    def find(self, build: WheelBuild, target: Target, asked: WheelSettings) -> Toolchain:
        """Return the toolchain of a container, whose image is made where there is none yet.

        Raises:
            UnavailableError: There is no engine of the platform, or the image cannot be made.
            InterruptedByUserError: It was stopped.
        """
        compiler = asked.env.get("CC", "gcc")
        try:
            engine = self._engine()
            if (runs := engine.version().platform) != target.platform.key:
                raise _of_another_platform(runs, target.platform)
            image = self._tools(engine, build, target)
            if (image, compiler) not in self._known:
                self._known[image, compiler] = _ask(engine, image, compiler, target)
            return self._known[image, compiler]
        except (InterruptedByUserError, UnavailableError):
            raise
        except MissingToolError as error:
            raise UnavailableError(error.message, hint=f"{_START}; {SHARED}") from error
        except OrchError as error:
            hint = "; ".join(filter(None, (error.hint, SHARED)))
            raise UnavailableError(error.message, hint=hint) from error

    def run(self, given: Ingredients, work: Work, builds: Builds) -> bool:
        """Run the build in a container of its own.

        Raises:
            InterruptedByUserError: It was stopped.
            OrchError: The engine fails.
        """
        image = given.toolchain.image
        requires = given.build.requires
        layers = self._layers(image, requires, given.target, work.scratch / "layers")
        _write_job(given, work)
        command = [f"/usr/bin/python{given.target.python}", f"{ROOT}/hook.py", f"{ROOT}/job.json"]
        with (
            Container(self._engine(), image, command, user=f"{USER}", label=_LABEL) as container,
            builds.running(container.stop),
        ):
            for layer in layers:
                with layer.open("rb") as file:
                    container.put(file)
            with _archive(work) as packed:
                container.put(packed)
            with work.log.open("ab") as log:
                code = container.run(log.write)
            if code == 0:
                _take_wheels(container.get(f"{ROOT}/out"), work)
        return code == 0

    def remedy(self, packages: Sequence[str]) -> str:  # noqa: ARG002 - as other places have it
        """Say nothing more: what the settings name is put into the image."""
        return ""


def _ask(engine: DockerEngine, image: str, compiler: str, target: Target) -> Toolchain:
    said = io.BytesIO()
    command = [f"/usr/bin/python{target.python}", "-I", "-c", _ASK, compiler]
    with Container(engine, image, command, user=f"{USER}", label=_LABEL) as container:
        code = container.run(said.write)
    try:
        implementation, description = json.loads(said.getvalue())
    except ValueError as error:
        text = short(said.getvalue().decode("utf-8", "replace").strip())
        raise UnavailableError(
            f"Python does not run in a container ({code}): {text}", hint=SHARED
        ) from error
    return Toolchain(Path(VENV, "bin/python"), implementation, description, image=image)


def _of_another_platform(runs: str, wanted: Platform) -> UnavailableError:
    return UnavailableError(
        f"the Docker engine runs {runs}, not {wanted}, and wheels are built on their own platform",
        hint=f"set DOCKER_HOST to an engine of {wanted}; {SHARED}",
    )


def _write_job(given: Ingredients, work: Work) -> None:
    """Write what the container is to do beside the sources that it is done with."""
    site = work.scratch / f"env/lib/python{given.target.python}/site-packages"
    site.mkdir(parents=True)
    write_flags(site, given.env)
    backend, paths = read_backend(work.source)
    source = PurePosixPath(ROOT, work.source.relative_to(work.scratch))
    job = {
        "python": str(given.toolchain.python),
        "env": environment(given.env, ROOT, f"{VENV}/bin:{_PATH}", work.time_s),
        "source": str(source),
        "backend": backend,
        "backend-path": [str(source / path) for path in paths],
        "out": f"{ROOT}/out",
    }
    (work.scratch / "job.json").write_text(json.dumps(job), "utf-8")
    (work.scratch / "hook.py").write_bytes(Path(hook_worker.__file__).read_bytes())


@contextmanager
def _archive(work: Work) -> Iterator[BinaryIO]:
    """Give the folders of a build as an archive; what is in its environment stays as it is."""

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        is_mine = not f"/{member.name}".startswith(VENV)
        member.uid = member.gid = USER if is_mine else 0
        member.uname = member.gname = ""
        return member

    site = work.scratch / "env"
    with tempfile.TemporaryFile(dir=work.scratch) as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(work.scratch, ROOT[1:], recursive=False, filter=owned)
            for name in ("src", "home", "tmp", "out", "job.json", "hook.py"):
                archive.add(work.scratch / name, f"{ROOT[1:]}/{name}", filter=owned)
            for path in (path for path in sorted(site.rglob("*")) if path.is_file()):
                archive.add(path, f"{VENV[1:]}/{path.relative_to(site)}", filter=owned)
        file.seek(0)
        yield file


def _take_wheels(stream: Iterable[bytes], work: Work) -> None:
    """Write the wheels among what a container gave into the build's own folder.

    Raises:
        ArtifactError: What it gave is no archive, or one that cannot be meant.
    """
    with tempfile.TemporaryFile(dir=work.scratch) as file:
        file.writelines(stream)
        file.seek(0)
        try:
            with open_tar(file) as archive:
                for member in members(archive):
                    name = PurePosixPath(member.name).name
                    content = archive.extractfile(member) if member.isfile() else None
                    if content is not None and name.endswith(".whl"):
                        with (work.out / name).open("wb") as out:
                            shutil.copyfileobj(content, out)
        except tarfile.TarError as error:
            raise ArtifactError(
                f"what the container's build left cannot be read: {error}",
                hint="pin another version of the package",
            ) from error
