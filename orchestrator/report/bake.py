"""Dockerfile images as a file for `docker buildx bake`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.externals import pinned
from orchestrator.graph import Graph
from orchestrator.model import Image, Secret, Settings, Workspace
from orchestrator.siblings import SiblingNames, familiar_name, is_wheels_context

LAYOUT = ".orch/layout"


@dataclass(frozen=True, slots=True)
class Baked:
    """A document of bake's, and what it cannot say."""

    document: dict[str, Any]
    warnings: tuple[str, ...]


def bake_document(
    workspace: Workspace,
    graph: Graph,
    chosen: Collection[str],
    tags: Mapping[str, tuple[str, ...]],
    stages: Mapping[str, Collection[str]],
    pins: Mapping[str, Mapping[str, str]],
) -> Baked:
    """Return what bake is to build: the images chosen, and the Dockerfiles they stand on.

    Paths are from the workspace's root. A sibling is a named context under the name that the
    Dockerfile has for it: another target, or a recipe's image where the builder can see it. `tags`,
    `stages`, the names of a Dockerfile's stages, and `pins`, the digests of external images, are
    by image.

    Source: the Bake file reference of buildx.
    """
    names = [name for name in graph.ancestors(chosen) if graph.images[name].build]
    targets = _target_names(names)
    siblings = SiblingNames(workspace)
    warnings: list[str] = []
    document: dict[str, Any] = {
        "group": {"default": {"targets": [targets[name] for name in names if name in chosen]}},
        "target": {},
    }
    for name in names:
        image = graph.images[name]
        contexts = _contexts(workspace, image, siblings, targets, stages[name], warnings)
        for reference, digest in pins[name].items():
            if familiar_name(reference) not in stages[name]:
                contexts[familiar_name(reference)] = f"docker-image://{pinned(reference, digest)}"
        document["target"][targets[name]] = _target(workspace.settings, image, tags, contexts)
    recipes = {name for name in graph.ancestors(chosen) if not graph.images[name].build}
    if skipped := [name for name in graph.images if name in recipes and name in chosen]:
        warnings.append(f"recipes are left out, orch build makes them: {', '.join(skipped)}")
    if used := [name for name in recipes if _is_used(graph, name, names)]:
        used = sorted(used)
        load = "" if workspace.settings.buildkit.builder else "--load "
        warnings.append(
            f"bake takes recipes' images ready-made; run: orch build {load}{' '.join(used)}"
        )
    return Baked(_escaped(document), tuple(warnings))


def _is_used(graph: Graph, recipe: str, names: Collection[str]) -> bool:
    return any(child in names for child in graph.dependents[recipe])


def _target_names(names: Collection[str]) -> dict[str, str]:
    """Return bake's name of each image: no dot may be in one."""
    targets: dict[str, str] = {}
    for name in names:
        target = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
        while target in targets.values() or (target != name and target in names):
            target += "_"
        targets[name] = target
    return targets


def _contexts(
    workspace: Workspace,
    image: Image,
    siblings: SiblingNames,
    targets: Mapping[str, str],
    stages: Collection[str],
    warnings: list[str],
) -> dict[str, str]:
    contexts = {}
    for reference in image.build.uses.references if image.build else ():
        sibling = siblings.find(reference.name, by=image.name)
        if is_wheels_context(siblings, image, reference):
            warnings.append(
                f"{image.file}:{reference.line}: bake has no wheels of the lock to give; "
                f"build {image.name} with orch build"
            )
        if sibling is None:
            continue
        key = familiar_name(reference.name)
        if key in stages:
            warnings.append(
                f"{image.file}:{reference.line}: a stage is named {key} as the image is, so bake "
                "cannot be given the image; name the stage otherwise"
            )
            continue
        at = targets.get(sibling)
        contexts[key] = f"target:{at}" if at else _ready_made(workspace, sibling)
    return contexts


def _ready_made(workspace: Workspace, recipe: str) -> str:
    """Return where a builder finds a recipe's image: Docker's own cannot read a layout."""
    if workspace.settings.buildkit.builder:
        return f"oci-layout://{LAYOUT}:{recipe}"
    return f"docker-image://{recipe}:latest"


def _target(
    settings: Settings,
    image: Image,
    tags: Mapping[str, tuple[str, ...]],
    contexts: Mapping[str, str],
) -> dict[str, Any]:
    table = image.build.settings if image.build else settings.images[image.name]
    options = table.options
    prefix = f"{settings.registry.rstrip('/')}/" if settings.registry else ""
    said = {
        "context": str(image.path),
        "dockerfile": table.dockerfile,
        "target": table.target,
        "args": dict(table.build_args),
        "contexts": {**options.contexts, **contexts},
        "tags": [f"{prefix}{image.name}:{tag}" for tag in tags[image.name]],
        "platforms": [platform.key for platform in table.platforms or settings.platforms],
        "network": options.network,
        "secret": [_secret(secret) for secret in options.secrets],
        "ssh": list(options.ssh),
        "cache-from": list(options.cache_from),
        "cache-to": list(options.cache_to),
    }
    return {key: value for key, value in said.items() if value}


def _secret(secret: Secret) -> str:
    where = f"env={secret.env}" if secret.env else f"src={secret.file}"
    return f"id={secret.id},{where}"


def _escaped(value: Any) -> Any:
    """Return a value in which nothing is taken for a variable of bake's."""
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return value.replace("${", "$${").replace("%{", "%%{") if isinstance(value, str) else value
