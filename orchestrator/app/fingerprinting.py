"""Fingerprints of images as a folder has them now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.app.opened import Opened
from orchestrator.digests import CachedDigests
from orchestrator.files import SourceFile, read_files
from orchestrator.fingerprint import Fingerprint, fingerprint_recipe
from orchestrator.lockfile import Lock
from orchestrator.model import Platform


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """Images' fingerprints, and the files they were taken of."""

    prints: Mapping[str, Fingerprint]
    files: Mapping[str, tuple[SourceFile, ...]]


def fingerprint_images(
    opened: Opened, lock: Lock, platform: Platform, names: Iterable[str]
) -> Fingerprinted:
    """Fingerprint images, given in topological order with all they stand on."""
    graph, settings = opened.graph, opened.workspace.settings
    digests = CachedDigests(opened.paths.file_digests, opened.paths.root)
    files: dict[str, tuple[SourceFile, ...]] = {}
    prints: dict[str, Fingerprint] = {}
    for name in names:
        image = graph.images[name]
        files[name] = read_files(opened.workspace, image, digests)
        parents = {parent: prints[parent] for parent in graph.parents[name]}
        adds = lock.image(name, platform)
        prints[name] = fingerprint_recipe(image, settings, platform, adds, files[name], parents)
    digests.save()
    return Fingerprinted(prints, files)
