"""Building a wheel from an sdist: alone, offline, with pinned requirements, and alike each time."""

from __future__ import annotations

from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from orchestrator.errors import ArtifactError, OrchError
from orchestrator.model import WheelBuild
from orchestrator.resolve.python.tags import rank_of
from orchestrator.wheelhouse.abi import platform_tag
from orchestrator.wheelhouse.missing import Remedy, find_missing, tail
from orchestrator.wheelhouse.pack import holds, pack_wheel
from orchestrator.wheelhouse.places import BuildPlace, Ingredients, LackingBuildError, Work
from orchestrator.wheelhouse.running import Builds
from orchestrator.wheelhouse.sdist import unpack_sdist
from orchestrator.wheelhouse.toolchain import SHARED


class FailedBuildError(ArtifactError):
    """An sdist's own build failed; the message has the end of its log."""


def build_wheel(
    given: Ingredients, place: BuildPlace, builds: Builds, work_in: Path, log: Path, shown: str
) -> Path:
    """Build a wheel in a place and return it, packed, below `work_in`, empty and unshared.

    Nothing of this machine but the place's compiler, libraries and Python reaches the build: it
    has an environment of its own with the pinned requirements, no network where that can be cut
    off, fixed times, and names of folders that do not depend on where it runs. `log` gets what
    the build says; `shown` is how people are told where that is.

    Raises:
        LackingBuildError: The place lacks what the build needs.
        FailedBuildError: The build failed, or gave another project than the sdist's.
    """
    build = given.build
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(
        f"building {build.title} {place.where} with {given.toolchain.description}\n", "utf-8"
    )
    source, time_s = unpack_sdist(given.sdist, build.sdist.file, work_in / "src")
    work = Work(work_in, source, time_s, log)
    for name in ("home", "tmp", "out"):
        (work_in / name).mkdir()
    if not place.run(given, work, builds):
        raise _failure(build, place, log, shown)
    made = sorted(work.out.glob("*.whl"))
    if len(made) != 1:
        message = f"the build of {build.title} left {len(made)} wheels, and one is wanted"
        raise FailedBuildError(message, hint=f"read {shown}")
    _check_project(made[0].name, build, shown)
    plain = pack_wheel(made[0], work_in / "plain", None, time_s)  # whose RECORD names every file
    wheel = pack_wheel(plain, work_in / "packed", platform_tag(plain, build.platform), time_s)
    _check_fits(wheel.name, given, place)
    if found := holds(wheel, str(work_in)):
        work.add(f"{', '.join(found)}: holds the path of the folder it was built in")
    return wheel


def _failure(build: WheelBuild, place: BuildPlace, log: Path, shown: str) -> OrchError:
    """Return what a failed build is: a place that lacks something, or a fault of the sdist."""
    text = log.read_text("utf-8", errors="replace")
    missing = find_missing(text)
    advice = "; ".join(item.advice(build.name) for item in missing)
    lacking = [item for item in missing if item.remedy is Remedy.SYSTEM]
    end = "\n".join(f"    {line}" for line in tail(text))
    if lacking:
        packages = list(dict.fromkeys(name for item in lacking for name in item.packages))
        remedy = place.remedy(packages) if packages else ""
        return LackingBuildError(
            f"building {build.title} needs what {place.name} lacks: "
            f"{', '.join(item.what for item in lacking)} (the log is {shown}):\n{end}",
            hint="; ".join(filter(None, (advice, remedy and f"then {remedy}", SHARED))),
        )
    return FailedBuildError(
        f"the build of {build.title} failed (the log is {shown}):\n{end}",
        hint=advice or f"read {shown}; [wheels.{build.name}] says what a build needs",
    )


def _check_project(file: str, build: WheelBuild, shown: str) -> None:
    hint = f"read {shown}; pin another version of {build.name}"
    try:
        name, version, *_ = parse_wheel_filename(file)
    except InvalidWheelFilename as error:
        message = f"the build of {build.title} gave no wheel: {error}"
        raise FailedBuildError(message, hint=hint) from error
    if (name, version) != (canonicalize_name(build.name), Version(build.sdist.version)):
        message = f"the build of {build.title} gave {file}, another project"
        raise FailedBuildError(message, hint=hint)


def _check_fits(file: str, given: Ingredients, place: BuildPlace) -> None:
    if rank_of(file, given.target) is None:
        glibc = ".".join(map(str, given.target.glibc))
        raise LackingBuildError(
            f"{file}, built {place.where} with {given.toolchain.description}, cannot be loaded by "
            f"images with Python {given.target.python} and glibc {glibc}",
            hint=f"build it where the C library is as old as the images'; {SHARED}",
        )
