"""Fingerprints of images as a folder has them now."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.app.opened import Opened
from orchestrator.context import read_context, read_named_contexts
from orchestrator.externals import pins_of
from orchestrator.files import SourceFile, read_files
from orchestrator.fingerprint import Fingerprint, fingerprint_dockerfile, fingerprint_recipe
from orchestrator.lockfile import Lock
from orchestrator.model import Image, Platform
from orchestrator.remembered.digests import CachedDigests
from orchestrator.remembered.unmoved import Unmoved
from orchestrator.resolve.slices import slice_constraints, what_matters


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """Images' fingerprints, and the files they were taken of; those of named contexts apart.

    Files of images that are as they were recorded are not there.

    `whole` says of images that copy the constraints why they do not get a slice of them.
    """

    prints: Mapping[str, Fingerprint]
    files: Mapping[str, tuple[SourceFile, ...]]
    contexts: Mapping[str, Mapping[str, tuple[SourceFile, ...]]]
    whole: Mapping[str, str]


def fingerprint_images(
    opened: Opened,
    lock: Lock,
    platform: Platform,
    names: Iterable[str],
    unmoved: Unmoved | None = None,
) -> Fingerprinted:
    """Fingerprint images, given in topological order with all they stand on.

    Of those that `unmoved` finds, no files are read.
    """
    graph, settings = opened.graph, opened.workspace.settings
    digests = CachedDigests(opened.memory, opened.paths.root)
    files: dict[str, tuple[SourceFile, ...]] = {}
    contexts: dict[str, Mapping[str, tuple[SourceFile, ...]]] = {}
    prints: dict[str, Fingerprint] = {}
    whole: dict[str, str] = {}
    constraints = opened.workspace.root / settings.constraints
    for name in names:
        image = graph.images[name]
        parents = {parent: prints[parent] for parent in graph.parents[name]}
        if unmoved and (recorded := unmoved.find(image, parents)):
            prints[name] = recorded
            continue
        pins = pins_of(graph, lock.externals, name)
        if image.build is not None:
            found = read_context(
                opened.workspace, image, digests, whole=needs_whole_context(opened, image)
            )
            matters = functools.partial(what_matters, graph, lock, platform, name, constraints.name)
            sliced = slice_constraints(found, constraints, matters)
            files[name], external = sliced.files, graph.external[name]
            whole |= {name: sliced.whole} if sliced.whole else {}
            contexts[name] = read_named_contexts(opened.workspace, image, digests)
            wheels = lock.image(name, platform).wheels if name in graph.takes_wheels else ()
            prints[name] = fingerprint_dockerfile(
                image, platform, files[name], parents, external, contexts[name], wheels, pins
            )
            continue
        files[name] = read_files(opened.workspace, image, digests)
        adds = lock.image(name, platform)
        prints[name] = fingerprint_recipe(
            image, settings, platform, adds, files[name], parents, pins
        )
        if unmoved:
            unmoved.note(image, prints[name])
    opened.memory.save()
    return Fingerprinted(prints, files, contexts, whole)


def needs_whole_context(opened: Opened, image: Image) -> bool:
    """Tell whether what an image stands on leaves instructions to it that may copy anything."""
    above = opened.graph.ancestors([image.name])
    builds = [opened.graph.images[name].build for name in above if name != image.name]
    return any(build is not None and build.uses.onbuild for build in builds)
