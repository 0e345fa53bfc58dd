"""`orch doctor`: whether this machine is fit for the workspace around a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.app.opened import Opened, open_workspace
from orchestrator.app.pushing import namespace_of
from orchestrator.app.registries import connected
from orchestrator.errors import OrchError
from orchestrator.fitness.docker import check_buildx, check_docker
from orchestrator.fitness.filesystem import check_filesystem, check_links
from orchestrator.fitness.finding import Finding, Level, fail, needed, ok, warn
from orchestrator.fitness.machine import check_disk, check_memory, check_python
from orchestrator.fitness.registry import check_credentials, check_registry
from orchestrator.fitness.sources import check_clock, check_debian, check_indexes
from orchestrator.model import Platform, Settings
from orchestrator.paths import Paths
from orchestrator.publish.reference import Reference
from orchestrator.resolve.python.indexes import Indexes, read_indexes
from orchestrator.scratch import scratch_folder
from orchestrator.settings import find_settings

_JOBS = 8

Told = tuple[list[Finding], str]
"""What was found, and the time that a server told."""


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a workspace wants of a machine; `opened` is None where none can be read."""

    paths: Paths
    settings: Settings
    opened: Opened | None

    @property
    def builds_dockerfiles(self) -> bool:
        """Tell whether an image needs BuildKit, of the Docker engine itself."""
        if self.opened is None or self.settings.buildkit.builder:
            return False
        return any(image.build for image in self.opened.graph.images.values())

    @property
    def takes_packages(self) -> bool:
        """Tell whether an image has packages."""
        return self.opened is not None and bool(self.opened.graph.locked)

    @property
    def hosts(self) -> list[str]:
        """Return the registries that images come from and go to."""
        graph = self.opened.graph if self.opened else None
        names = {name for found in graph.external.values() for name in found} if graph else set()
        hosts = {self.settings.registry.partition("/")[0]} - {""}
        for name in names:
            try:
                hosts.add(Reference.parse(name).repository.host)
            except OrchError:  # Debian below a recipe, or what is told of by other verbs
                continue
        return sorted(hosts)


def diagnose(directory: Path, *, offline: bool = False) -> list[Finding]:
    """Look at all that verbs need of this machine; offline, at what needs no network.

    Nothing is left of what is tried.
    """
    workspace, needs = _read_workspace(directory)
    state, cache = needs.paths.state, needs.paths.cache
    found = [workspace, check_python(), check_memory()]
    found += [check_disk("disk", state), check_disk("disk-cache", cache)]
    found += check_filesystem("files", state)
    found += check_filesystem("files-cache", cache)
    found.append(check_links(cache, needs.paths.layout))
    found += _check_docker(needs)
    found += check_credentials(needs.hosts)
    return found if offline else [*found, *_check_network(needs)]


def _read_workspace(directory: Path) -> tuple[Finding, _Needs]:
    try:
        file, _ = find_settings(directory.resolve())
    except OrchError as error:
        root = directory.resolve()
        bare = _Needs(Paths.of(root), Settings(root / "orch.toml"), None)
        return warn("workspace", error.message, error.hint), bare
    paths = Paths.of(file.parent)
    try:
        opened = open_workspace(directory)
    except OrchError as error:
        hint = error.hint or "mend it, and look again"
        return fail("workspace", str(error), hint), _Needs(paths, Settings(file), None)
    count = len(opened.graph.images)
    needs = _Needs(paths, opened.workspace.settings, opened)
    return ok("workspace", f"{count} images in {file.parent}"), needs


def _check_docker(needs: _Needs) -> list[Finding]:
    checks = (check_docker, check_buildx)
    return [needed(check(), is_needed=needs.builds_dockerfiles) for check in checks]


def _check_network(needs: _Needs) -> Iterator[Finding]:
    """Ask all servers at once; yield what was found in an order that stays."""
    checks: list[Callable[[_Needs], Told]] = [_check_registry, _check_indexes, _check_debian]
    with ThreadPoolExecutor(_JOBS) as pool:
        told = list(pool.map(lambda check: check(needs), checks))
    dates = [date for _, date in told if date]
    for found, _ in told:
        yield from found
    yield check_clock(dates[0] if dates else "", datetime.now(UTC))


def _check_registry(needs: _Needs) -> Told:
    opened = needs.opened
    if opened is None or not needs.settings.registry:
        return [ok("registry", "the settings name none to push to")], ""
    try:
        namespace = namespace_of(opened)
        with connected(opened, namespace, "pull,push", in_passing=True) as place:
            return check_registry(place.wire, namespace.repository(next(iter(opened.graph.images))))
    except OrchError as error:
        return [fail("registry", str(error), error.hint)], ""


def _check_indexes(needs: _Needs) -> Told:
    indexes = read_indexes(needs.settings.python)
    found, date = check_indexes(indexes)
    if not (indexes.index_url or indexes.no_index):
        found = [*_check_default(indexes), *(one for one in found if one.level is not Level.OK)]
    return [needed(one, is_needed=needs.takes_packages) for one in found], date


def _check_default(indexes: Indexes) -> list[Finding]:
    """Let the resolver ask its own default index, which nobody named."""
    from orchestrator.resolve.python.offered import Target  # noqa: PLC0415 - slow to import
    from orchestrator.resolve.python.uv import Uv  # noqa: PLC0415 - slow to import

    with scratch_folder() as scratch:
        try:
            target = Target(Platform("linux", "amd64"), "3.11", (2, 36))
            Uv(indexes, scratch).find_latest(["pip"], target)
        except OrchError as error:
            hint = "see to the network, or set index-url in pip's configuration"
            return [fail("python-index", f"the resolver's default: {error.message}", hint)]
    return [ok("python-index", "the resolver's own default answers")]


def _check_debian(needs: _Needs) -> Told:
    found, date = check_debian(needs.settings.debian)
    return [needed(one, is_needed=needs.takes_packages) for one in found], date
