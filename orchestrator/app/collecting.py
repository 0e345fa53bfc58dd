"""`orch gc`: what nobody uses any more goes, where no run is at work."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.app.keeping import reached_wheels
from orchestrator.app.opened import Opened, read_lock
from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.engines.docker.presence import private_tag, read_present
from orchestrator.errors import MissingToolError, OrchError, disk_error
from orchestrator.externals import external_parent, pinned, pins_of
from orchestrator.history import History, Kind, Wanted
from orchestrator.lockfile import Lock
from orchestrator.oci.imported import imported_file, imported_folder
from orchestrator.oci.layout import Layout
from orchestrator.report.text import format_bytes
from orchestrator.state import State
from orchestrator.unused.cached import cache_entries, size_below
from orchestrator.unused.entries import (
    Because,
    Collected,
    Entry,
    Part,
    Swept,
    choose_unused,
    total_bytes,
)
from orchestrator.unused.left import context_entries, log_entries
from orchestrator.unused.superseded import layout_entries, note_entries, reached_blobs
from orchestrator.usage import alone_in

_DAY_S = 86_400.0

Choice = tuple[list[Entry], dict[Entry, Because]]
"""What was found, and what of it goes."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What is kept: `older_than_s` 0 is for ever, `max_bytes` None without limit."""

    older_than_s: float
    max_bytes: int | None = None

    @classmethod
    def of(cls, opened: Opened, older_than_s: float | None, max_bytes: int | None) -> Budget:
        """Return what was asked for, else what the settings say."""
        gc = opened.workspace.settings.gc
        return cls(
            gc.days * _DAY_S if older_than_s is None else older_than_s,
            gc.max_size_bytes if max_bytes is None else max_bytes,
        )


def collect_garbage(opened: Opened, budget: Budget, *, dry_run: bool) -> Collected:
    """Let go of what no image wants, and of what nobody used for long, in every place of ours.

    What runs are at work in is left alone. All that goes can be made or fetched again.

    Raises:
        OrchError: A file cannot be removed.
    """
    lock = read_lock(opened) if opened.paths.lock.is_file() else Lock()
    collection = _Collection(opened, lock, budget, time.time(), dry_run)
    images = collection.sweep_images()
    logs, cache = collection.sweep_logs(), collection.sweep_cache(images)
    notes = [*_budget_notes(cache, budget), *_uv_notes(opened.paths.cache / "uv")]
    docker = _sweep_docker(opened, notes, dry_run=dry_run)
    return Collected((images, logs, cache, *docker), tuple(notes), dry_run)


@dataclass(frozen=True, slots=True)
class _Collection:
    opened: Opened
    lock: Lock
    budget: Budget
    now_s: float
    dry_run: bool

    def sweep_images(self) -> Swept:
        swept = self._sweep(Part.IMAGES, self.opened.paths.state, self._choose_images)
        layout, images = Layout(self.opened.paths.layout), self.opened.graph.images
        strangers = layout.roots().keys() - images.keys()
        if strangers and not (self.dry_run or swept.in_use):
            layout.unname(strangers)
        return swept

    def sweep_logs(self) -> Swept:
        def choose() -> Choice:
            paths = self.opened.paths
            found = list(log_entries(paths.logs, paths.reports, self.opened.graph.images))
            return found, choose_unused(found, self.now_s, self.budget.older_than_s, None)

        return self._sweep(Part.LOGS, self.opened.paths.state, choose)

    def sweep_cache(self, images: Swept) -> Swept:
        """Sweep the cache; what would go of images counts as gone."""
        gone = Counter(entry.inode for entry in images.going if self.dry_run)

        def choose() -> Choice:
            wanted = _locked_files(self.opened, self.lock)
            entries = cache_entries(self.opened.paths.cache, wanted, self.now_s)
            found = [replace(entry, links=entry.links - gone[entry.inode]) for entry in entries]
            older_than_s, max_bytes = self.budget.older_than_s, self.budget.max_bytes
            return found, choose_unused(found, self.now_s, older_than_s, max_bytes)

        return self._sweep(Part.CACHE, self.opened.paths.cache, choose)

    def _sweep(self, part: Part, place: Path, choose: Callable[[], Choice]) -> Swept:
        """Choose what goes and remove it, with all runs kept out of the place meanwhile."""
        with alone_in(place) as is_free:
            found, going = choose()
            for entry in going if is_free and not self.dry_run else ():
                _remove(entry.path)
        return Swept(part, going, [e for e in found if e not in going], in_use=not is_free)

    def _choose_images(self) -> Choice:
        """Choose what the layout has of no image as it is now, and the notes about that."""
        paths, layout = self.opened.paths, Layout(self.opened.paths.layout)
        recorded = self._recorded()
        reached = reached_blobs(layout, self._roots(layout, recorded))
        found = [
            *layout_entries(layout, reached),
            *note_entries(imported_folder(layout), recorded),
            *note_entries(paths.elsewhere, reached),
            *context_entries(paths.state / "contexts"),
        ]
        return found, {
            entry: Because.LEFT_OVER if entry.left_over else Because.SUPERSEDED
            for entry in found
            if not entry.is_wanted
        }

    def _recorded(self) -> frozenset[str]:
        """Return the digests of the last builds of the images that there are."""
        records = State(self.opened.paths.database).digests()
        return frozenset(digest for name, digest in records if name in self.opened.graph.images)

    def _roots(self, layout: Layout, recorded: frozenset[str]) -> set[str]:
        """Return the digests of all that images are, or stand on."""
        graph = self.opened.graph
        notes = (imported_file(layout, digest) for digest in recorded)
        roots = {*recorded, *(note.read_text("utf-8") for note in notes if note.is_file())}
        roots |= {digest for name, digest in layout.roots().items() if name in graph.images}
        for name in graph.images:
            if parent := external_parent(graph, name):
                pin = pins_of(graph, self.lock.externals, name).get(parent, "")
                roots.add(pinned(parent, pin).partition("@")[2])
        return roots


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error


def _locked_files(opened: Opened, lock: Lock) -> frozenset[str]:
    """Return the sha256 of all that the lock and the recipes name."""
    images = opened.workspace.images.values()
    fetched = (fetch.sha256 for image in images if image.recipe for fetch in image.recipe.fetches)
    debs = (deb.sha256 for adds in lock.images.values() for deb in adds.debs)
    return frozenset((*fetched, *debs, *(wheel.sha256 for wheel in reached_wheels(lock))))


def _budget_notes(cache: Swept, budget: Budget) -> list[str]:
    left = total_bytes(cache.staying)
    if budget.max_bytes is None or cache.in_use or left <= budget.max_bytes:
        return []
    return [
        f"the cache keeps {format_bytes(left)}: the lock names that, or images have it in common"
    ]


def _uv_notes(folder: Path) -> list[str]:
    size_bytes = size_below(folder)
    if not size_bytes:
        return []
    return [
        f"{format_bytes(size_bytes)} in {folder} are uv's own: uv cache prune --cache-dir {folder}"
    ]


def _sweep_docker(opened: Opened, notes: list[str], *, dry_run: bool) -> list[Swept]:
    """Take the private tags off images that this workspace built and replaced.

    Another workspace's images have such tags too: what this one does not remember stays.
    """
    with alone_in(opened.paths.state) as is_free:
        try:
            present = sorted(_replaced_tags(opened))
            if present and is_free and not dry_run:
                with closing(DockerEngine()) as docker:
                    present = [tag for tag in present if docker.untag(tag)]
        except MissingToolError:
            return []  # what an engine that is not there keeps takes no room here
        except OrchError as error:
            notes.append(f"what Docker keeps is not looked at: {error.in_a_line}")
            return []
    return [Swept(Part.DOCKER, {}, in_use=not is_free, tags=tuple(present))] if present else []


def _replaced_tags(opened: Opened) -> frozenset[str]:
    """Return the tags in Docker of what was built here once, and is no image's last build."""
    now = State(opened.paths.database).digests()
    past = History(opened.paths.database).find(Wanted(kinds=frozenset({Kind.BUILD})))
    before = {(image.name, image.digest) for run in past for image in run.images if image.digest}
    tags = frozenset(private_tag(name, digest) for name, digest in before - now)
    return tags & read_present() if tags else tags
