"""Building wheels on this machine: in an environment of their own, with its compiler."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence

from orchestrator.model import WheelBuild, WheelSettings
from orchestrator.resolve.python.offered import Target
from orchestrator.resolve.python.uv import find_uv
from orchestrator.wheelhouse.flags import environment, write_flags
from orchestrator.wheelhouse.places import Ingredients, LackingBuildError, Work
from orchestrator.wheelhouse.running import Builds
from orchestrator.wheelhouse.toolchain import (
    SHARED,
    Toolchain,
    find_toolchain,
    missing_debs,
    without_network,
)


class HostPlace:
    """This machine, as a place where wheels are built."""

    where = "on this machine"
    name = "this machine"

    def find(self, build: WheelBuild, target: Target, asked: WheelSettings) -> Toolchain:
        """Return this machine's toolchain; in doubt where its wheels may not do.

        Raises:
            UnavailableError: It is of another platform, or lacks the Python or packages.
        """
        toolchain = find_toolchain(target, asked.env.get("CC", "gcc"))
        if lacking := missing_debs(build.system):
            raise LackingBuildError(
                f"building {build.title} needs {', '.join(lacking)}, which this machine lacks",
                hint=f"{self.remedy(lacking)}; {SHARED}",
            )
        return toolchain

    def run(self, given: Ingredients, work: Work, builds: Builds) -> bool:
        """Run the build without a network where that can be cut off.

        Raises:
            InterruptedByUserError: It was stopped.
        """
        path = f"{work.scratch}/env/bin:{os.environ.get('PATH', os.defpath)}"
        env = environment(given.env, str(work.scratch), path, work.time_s)
        commands = _commands(given, work)
        return all(builds.run(command, work.scratch, env, work.log) for command in commands)

    def remedy(self, packages: Sequence[str]) -> str:
        """Say how this machine gets Debian packages."""
        return f"run: apt-get install {' '.join(packages)}"


def _commands(given: Ingredients, work: Work) -> Iterator[list[str]]:
    """Yield what is run: an environment, its requirements, and the build in it."""
    scratch = work.scratch
    uv = [find_uv(), "--offline", "--no-config", "--no-progress", "--cache-dir", f"{scratch}/uv"]
    python = f"{scratch}/env/bin/python"
    yield [*uv, "venv", "--quiet", "--no-project", "-p", str(given.toolchain.python), "env"]
    write_flags(scratch / f"env/lib/python{given.target.python}/site-packages", given.env)
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
        work.add("this machine gives no way to cut off the network; the build has it")
    options = ["--wheel", "--no-build-isolation", "--python", python, "--out-dir", str(work.out)]
    yield [*alone, *uv, "build", *options, str(work.source)]
