"""Where digests of published images come from: a registry, or the report of a push."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.app.opened import Opened
from orchestrator.app.pushing import JOBS
from orchestrator.app.registries import connected
from orchestrator.errors import WorkspaceError
from orchestrator.publish.crew import Crew
from orchestrator.publish.reference import Namespace, Reference, Repository


@dataclass(frozen=True, slots=True)
class Reported:
    """An image as the report of a push has it; `tags` in the order of the settings."""

    repository: Repository
    digest: str
    tags: tuple[str, ...]


def ask_registry(
    opened: Opened, namespace: Namespace, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return what the tags of images name in a registry, by name and tag; without those it lacks.

    Raises:
        RegistryError: It does not answer, or refuses.
        WorkspaceError: The settings contradict the registry's name.
    """
    with connected(opened, namespace, "pull") as place:
        crew = Crew(JOBS, place.wire.stop)
        try:
            found = crew.each(
                lambda item: place.registry.find_manifest(namespace.repository(item[0]), item[1]),
                wanted,
            ).raise_first()
        finally:
            crew.close()
    return {item: digest for item, digest in found.items() if digest}


def read_push_report(file: Path) -> dict[str, Reported]:
    """Read the images that a push published, by name, from its report or that of its build.

    Raises:
        WorkspaceError: It cannot be read, or is no report of a push.
    """
    try:
        document = json.loads(file.read_bytes())
        push = document if document["schema"] == "orch.push/1" else document["push"]
        return dict(_reported(push))
    except OSError as error:
        raise WorkspaceError(f"cannot be read: {error.strerror}", file=file) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "orch push --report FILE writes one, and so does orch build --push --report FILE"
        raise WorkspaceError("is no report of a push", file=file, hint=hint) from error


def _reported(push: Mapping[str, Any]) -> Iterable[tuple[str, Reported]]:
    if push["dry_run"]:
        raise ValueError("nothing was sent")
    for image in push["images"]:
        if image["reference"]:
            reference = Reference.parse(image["reference"])
            tags = tuple(row["tag"] for row in image["tags"])
            yield image["name"], Reported(reference.repository, reference.digest, tags)
