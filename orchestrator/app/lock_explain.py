"""`orch lock --explain`: from the lock and from packages that are on this machine already.

A package's own file says what it needs. Where one was not downloaded, uv and the Debian archive
are asked instead: they look into what they have kept first.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.app.opened import Opened, archive_of, open_workspace, read_lock, uv_of
from orchestrator.errors import OrchError
from orchestrator.fetch import Downloads
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import LockedDeb, Platform

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from orchestrator.resolve.debian.packages import Deb
    from orchestrator.resolve.edges import Edges
    from orchestrator.resolve.explanations import Explained, Kind


def explain(directory: Path, package: str) -> tuple[Explained, tuple[str, ...]]:
    """Say why a package is in the lock; and what a person should know of what is not told.

    Raises:
        WorkspaceError: No image holds the package.
        LockError: There is no lock, or it cannot be read.
    """
    from orchestrator.resolve.explained import explain_package  # noqa: PLC0415 - slow to import

    opened = open_workspace(directory)
    lock = read_lock(opened)
    known = _Known(opened, lock)
    explained = explain_package(opened.workspace, opened.graph, lock, package, known.find_edges)
    return explained, tuple(dict.fromkeys(known.notes))


class _Known:
    """Who needs whom, as far as it is known here; asked for once an image."""

    def __init__(self, opened: Opened, lock: Lock) -> None:
        from orchestrator.resolve.inputs import read_tree_requirements  # noqa: PLC0415

        self.notes: list[str] = []
        self._opened = opened
        self._lock = lock
        self._lines = read_tree_requirements(opened.workspace)
        self._downloads = Downloads(opened.paths.downloads, offline=True)
        self._archive = archive_of(opened)
        self._uv = uv_of(opened)
        self._wheels: dict[tuple[str, str], dict[str, None]] = {}
        """The digests of each version's wheels: what a version needs is said by any of them."""
        for wheel in (wheel for adds in lock.images.values() for wheel in adds.wheels):
            self._wheels.setdefault((wheel.name, wheel.version), {})[wheel.sha256] = None
        self._requires: dict[tuple[str, str], tuple[Requirement, ...] | None] = {}
        self._edges: dict[tuple[Kind, str, Platform], Edges | None] = {}
        self._everyones: dict[Platform, Edges | None] = {}
        self._debs: dict[LockedDeb, Deb] = {}

    def find_edges(self, kind: Kind, image: str, platform: Platform) -> Edges | None:
        """Return who needs whom of what an image holds; None, with a note, where that fails."""
        from orchestrator.resolve.explanations import Kind  # noqa: PLC0415 - slow to import

        key = kind, image, platform
        if key not in self._edges:
            find = self._among_debs if kind is Kind.DEBIAN else self._among_wheels
            try:
                self._edges[key] = find(image, platform)
            except OrchError as error:
                self._edges[key] = None
                self.notes.append(f"through whom {image} holds it is not known: {error}")
        return self._edges[key]

    def _held(self, images: Iterable[str], platform: Platform) -> list[ImageLock]:
        held = (self._lock.images.get((image, platform), ImageLock()) for image in images)
        return [adds for adds in held if not adds.unavailable]

    def _chain(self, image: str) -> list[str]:
        return [link.name for link in self._opened.graph.chain(image)]

    def _among_wheels(self, image: str, platform: Platform) -> Edges:
        from orchestrator.resolve.python.markers import marker_environment  # noqa: PLC0415 - slow
        from orchestrator.resolve.python.metadata import edges_of, read_requires  # noqa: PLC0415

        chain = self._chain(image)
        held = self._held(chain, platform)
        versions = {wheel.name: wheel.version for adds in held for wheel in adds.wheels}

        def requires(name: str) -> tuple[Requirement, ...] | None:
            if name not in versions:
                return ()
            key = name, versions[name]
            if key not in self._requires:
                read = (read_requires(self._downloads.path(file)) for file in self._wheels[key])
                self._requires[key] = next((found for found in read if found is not None), None)
            return self._requires[key]

        lines = [line for name in chain for line in self._lines[name]]
        environment = marker_environment(self._lock.python, platform)
        edges = edges_of(lines, requires, environment)
        return self._asked_of_uv(chain, platform) if edges is None else edges

    def _asked_of_uv(self, chain: list[str], platform: Platform) -> Edges:
        """Ask for all images at once; where these exclude each other, for the chain alone."""
        from orchestrator.resolve.python.uv import NoSolutionError  # noqa: PLC0415 - likewise

        if platform not in self._everyones:
            names = [
                name
                for name in self._opened.graph.locked
                if len(self._held(self._chain(name), platform)) == len(self._chain(name))
            ]
            try:
                self._everyones[platform] = self._compile(names, platform)
            except NoSolutionError:
                self._everyones[platform] = None
        return self._everyones[platform] or self._compile(chain, platform)

    def _compile(self, images: list[str], platform: Platform) -> Edges:
        from orchestrator.resolve.target import target_of  # noqa: PLC0415 - likewise

        held = self._held(images, platform)
        target = target_of(self._lock.python, platform, (d for adds in held for d in adds.debs))
        pins = {f"{wheel.name}=={wheel.version}" for adds in held for wheel in adds.wheels}
        lines = [str(line) for name in images for line in self._lines[name]]
        return self._uv().compile_edges(lines, sorted(pins), target)[1]

    def _among_debs(self, image: str, platform: Platform) -> Edges:
        from orchestrator.resolve.debian.edges import edges_among  # noqa: PLC0415 - likewise

        debs = [deb for held in self._held(self._chain(image), platform) for deb in held.debs]
        return edges_among(self._read_debs(debs, platform))

    def _read_debs(self, debs: Iterable[LockedDeb], platform: Platform) -> list[Deb]:
        for deb in debs:
            if deb not in self._debs:
                self._debs[deb] = self._read_deb(deb, platform)
        return [self._debs[deb] for deb in debs]

    def _read_deb(self, deb: LockedDeb, platform: Platform) -> Deb:
        from orchestrator.engines.assembler.deb.reader import open_deb  # noqa: PLC0415 - likewise
        from orchestrator.resolve.debian.edges import parse_control  # noqa: PLC0415
        from orchestrator.resolve.debian.packages import Deb  # noqa: PLC0415

        file = self._downloads.path(deb.sha256)
        if file.is_file():
            with open_deb(file, deb.name) as archive:
                return parse_control(archive.control["control"], platform.debian)
        offered = self._archive().universe(platform).versions(deb.name)
        same = (found for found in offered if found.version == deb.version)
        return next(same, None) or Deb(deb.name, deb.version, deb.architecture)
