"""Building a wheel from an sdist: alone, offline, with pinned requirements, and alike each time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from orchestrator.errors import ArtifactError, InterruptedByUserError, OrchError, UnavailableError
from orchestrator.model import WheelBuild
from orchestrator.resolve.python.tags import rank_of
from orchestrator.resolve.python.uv import Target, find_uv
from orchestrator.wheelhouse.abi import platform_tag
from orchestrator.wheelhouse.flags import write_flags
from orchestrator.wheelhouse.missing import Remedy, find_missing, tail
from orchestrator.wheelhouse.pack import holds, pack_wheel
from orchestrator.wheelhouse.sdist import unpack_sdist
from orchestrator.wheelhouse.toolchain import Toolchain, missing_debs, without_network

_UMASK = 0o022


class FailedBuildError(ArtifactError):
    """An sdist's own build failed; the message has the end of its log."""


class LackingBuildError(UnavailableError):
    """An sdist cannot be built on this machine, for want of what it is built with."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a wheel is built from: files on the disk, and values for the build's variables."""

    build: WheelBuild
    target: Target
    toolchain: Toolchain
    sdist: Path
    requires: Mapping[str, Path]
    env: Mapping[str, str] = field(default_factory=dict)


class Builds:
    """The builds that run: threads may share one, and `stop` ends them all."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End what runs, with all its children; what has not begun does not begin."""
        with self._lock:
            self._stopping = True
            for process in self._running:
                _kill(process)

    def run(self, command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> bool:
        """Run a command, its output added to a log; tell whether it went well.

        Raises:
            InterruptedByUserError: It was stopped.
        """
        with log.open("ab") as out, self._started(command, folder, env, out) as process:
            code = process.wait()
        if self._stopping:
            raise InterruptedByUserError("the build of a wheel was given up")
        return code == 0

    @contextmanager
    def _started(
        self, command: Sequence[str], folder: Path, env: Mapping[str, str], out: BinaryIO
    ) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            if self._stopping:
                raise InterruptedByUserError("the build of a wheel was given up")
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=_UMASK,
            )
            self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running.discard(process)
            if process.poll() is None:
                _kill(process)
                process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def build_wheel(given: Ingredients, builds: Builds, scratch: Path, log: Path, shown: str) -> Path:
    """Build a wheel and return it, packed, below `scratch`, which must be empty and unshared.

    Nothing of this machine but its compiler, its libraries and its Python reaches the build: it
    has an environment of its own with the pinned requirements, no network where that can be cut
    off, fixed times, and names of folders that do not depend on where it runs. `log` gets what
    the build says; `shown` is how people are told where that is.

    Raises:
        LackingBuildError: This machine lacks what the build needs.
        FailedBuildError: The build failed, or gave another project than the sdist's.
    """
    build = given.build
    if lacking := missing_debs(build.system):
        raise LackingBuildError(
            f"building {build.title} needs {', '.join(lacking)}, which this machine lacks",
            hint=f"run: apt-get install {' '.join(lacking)}",
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"building {build.title} with {given.toolchain.description}\n", "utf-8")
    source, time_s = unpack_sdist(given.sdist, build.sdist.file, scratch / "src")
    env = _environment(given, scratch, time_s)
    for command in _commands(given, scratch, source, log):
        if not builds.run(command, scratch, env, log):
            raise _failure(build, log, shown)
    made = sorted((scratch / "out").glob("*.whl"))
    if len(made) != 1:
        raise FailedBuildError(f"the build of {build.title} left {len(made)} wheels", hint=shown)
    _check_project(made[0].name, build)
    plain = pack_wheel(made[0], scratch / "plain", None, time_s)  # whose RECORD names every file
    wheel = pack_wheel(plain, scratch / "packed", platform_tag(plain, build.platform), time_s)
    _check_fits(wheel.name, given)
    if found := holds(wheel, str(scratch)):
        _add(log, f"{', '.join(found)}: holds the path of the folder it was built in")
    return wheel


def _commands(given: Ingredients, scratch: Path, source: Path, log: Path) -> Iterator[list[str]]:
    """Yield what is run: an environment, its requirements, and the build in it."""
    uv = [find_uv(), "--offline", "--no-config", "--no-progress", "--cache-dir", f"{scratch}/uv"]
    python = f"{scratch}/env/bin/python"
    yield [*uv, "venv", "--quiet", "--no-project", "-p", str(given.toolchain.python), "env"]
    site_packages = f"env/lib/python{given.target.python}/site-packages"
    write_flags(scratch / site_packages, given.env)
    if given.requires:
        folder = scratch / "requires"
        folder.mkdir()
        for name, file in given.requires.items():
            shutil.copyfile(file, folder / name)
        files = sorted(str(folder / name) for name in given.requires)
        options = ["--quiet", "--no-deps", "--no-index", "--python", python]
        yield [*uv, "pip", "install", *options, *files]
    alone = without_network()
    if not alone:
        _add(log, "this machine gives no way to cut off the network; the build has it")
    options = ["--wheel", "--no-build-isolation", "--python", python, "--out-dir", f"{scratch}/out"]
    yield [*alone, *uv, "build", *options, str(source)]


def _environment(given: Ingredients, scratch: Path, time_s: int) -> dict[str, str]:
    """Return all variables that the build has."""
    for name in ("home", "tmp"):
        (scratch / name).mkdir()
    mapped = f"-ffile-prefix-map={scratch}=/build"
    flags = {"CFLAGS": f"-g0 {mapped}", "CXXFLAGS": f"-g0 {mapped}"}
    flags["RUSTFLAGS"] = f"--remap-path-prefix={scratch}=/build"
    return {
        "PATH": f"{scratch}/env/bin:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(time_s),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        **given.env,
        **{name: f"{given.env.get(name, '')} {flag}".strip() for name, flag in flags.items()},
    }


def _failure(build: WheelBuild, log: Path, shown: str) -> OrchError:
    """Return what a failed build is: a machine that lacks something, or a fault of the sdist."""
    text = log.read_text("utf-8", errors="replace")
    missing = find_missing(text)
    advice = "; ".join(item.advice(build.name) for item in missing)
    lacking = [item for item in missing if item.remedy is Remedy.SYSTEM]
    end = "\n".join(f"    {line}" for line in tail(text))
    if lacking:
        packages = " ".join(dict.fromkeys(name for item in lacking for name in item.packages))
        ways = f"; then: apt-get install {packages}" if packages else ""
        return LackingBuildError(
            f"building {build.title} needs what this machine lacks: "
            f"{', '.join(item.what for item in lacking)} (the log is {shown}):\n{end}",
            hint=f"{advice}{ways}; or take the wheel from a shared place: orch wheels pull",
        )
    return FailedBuildError(
        f"the build of {build.title} failed (the log is {shown}):\n{end}",
        hint=advice or f"read {shown}; [wheels.{build.name}] says what a build needs",
    )


def _check_project(file: str, build: WheelBuild) -> None:
    try:
        name, version, *_ = parse_wheel_filename(file)
    except InvalidWheelFilename as error:
        raise FailedBuildError(f"the build of {build.title} gave no wheel: {error}") from error
    if (name, version) != (canonicalize_name(build.name), Version(build.sdist.version)):
        raise FailedBuildError(f"the build of {build.title} gave {file}, another project")


def _check_fits(file: str, given: Ingredients) -> None:
    if rank_of(file, given.target) is None:
        glibc = ".".join(map(str, given.target.glibc))
        raise LackingBuildError(
            f"{file}, built here with {given.toolchain.description}, cannot be loaded by images "
            f"with Python {given.target.python} and glibc {glibc}",
            hint="build it on a machine whose C library is as old as the images', "
            "or take the wheel from a shared place: orch wheels pull",
        )


def _add(log: Path, line: str) -> None:
    with log.open("a", encoding="utf-8") as out:
        out.write(f"{line}\n")
