"""Where digests of published images come from: a registry, or the report of a push."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.app.opened import Opened
from orchestrator.app.pushing import JOBS, namespace_of
from orchestrator.app.registries import connected
from orchestrator.app.tag_values import TagValues, templates_of
from orchestrator.deployments.intents import Intent, Meant
from orchestrator.deployments.pinning import Pinned
from orchestrator.errors import OrchError, WorkspaceError, unreadable
from orchestrator.publish.crew import Crew
from orchestrator.publish.reference import Namespace, Reference, Repository

_NAMING = frozenset({"moved", "unchanged"})
"""How tags end that name the image afterwards; others were left alone when something failed."""


@dataclass(frozen=True, slots=True)
class DigestSource:
    """Where digests come from: empty `tag` and `registry` mean what files and settings say.

    `pushed` is the report of a push, which is asked instead of the registry.
    """

    tag: str = ""
    registry: str = ""
    pushed: Path | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """An image as the report of a push has it; `tags` in the order of the settings."""

    repository: Repository
    digest: str
    tags: tuple[str, ...]


def find_pins(
    opened: Opened, source: DigestSource, intents: Iterable[Intent], notes: list[str]
) -> dict[Intent, Pinned | OrchError]:
    """Find the tag and digest of each image that is to be pinned, or why there is none.

    Raises:
        WorkspaceError: A tag is wrong, or the report; or it is not said which registry is meant.
        RegistryError: The registry does not say what it has.
    """
    wanted = [intent for intent in intents if intent.meant is Meant.PIN]
    if not wanted:
        return {}
    values = TagValues(opened.paths.root, datetime.now(UTC), notes)
    if source.pushed:
        given = values.expand((source.tag,), _no_fingerprint)[0] if source.tag else ""
        return _find_reported(source.pushed, given, wanted)
    namespace = namespace_of(opened, source.registry)
    tags = {intent: _tag_of(intent, opened, source.tag, values) for intent in wanted}
    asked = dict.fromkeys((intent.image, tag) for intent, tag in tags.items())
    digests = _ask_registry(opened, namespace, asked)
    return {
        intent: _pinned(namespace.repository(intent.image), tag, digest)
        if (digest := digests.get((intent.image, tag)))
        else failure_of(
            intent,
            f"{namespace.repository(intent.image)}:{tag} is not in the registry",
            f"orch push {intent.image} puts it there; --tag names another tag",
        )
        for intent, tag in tags.items()
    }


def _tag_of(intent: Intent, opened: Opened, given: str, values: TagValues) -> str:
    if intent.tag and not given:
        return intent.tag
    template = given or templates_of(opened.workspace.settings, intent.image)[0]
    return values.expand((template,), _no_fingerprint)[0]


def _no_fingerprint() -> str:
    raise WorkspaceError(
        "a tag of {fingerprint} is known to orch push only",
        hint="give --tag, or --pushed with the report of the push",
    )


def _find_reported(
    report: Path, tag: str, wanted: Iterable[Intent]
) -> dict[Intent, Pinned | OrchError]:
    images = _read_push_report(report)
    found: dict[Intent, Pinned | OrchError] = {}
    for intent in wanted:
        image = images.get(intent.image)
        tags = image.tags if image else ()
        asked = tag or (intent.tag if intent.tag in tags else next(iter(tags), ""))
        if image is None:
            why = f"{report} has no image {intent.image} that was published"
            found[intent] = failure_of(intent, why, "push it too, or ask the registry")
        elif asked not in tags:
            why = f"{report} has no tag {asked or 'at all'} of {intent.image}"
            found[intent] = failure_of(intent, why, f"it has {', '.join(tags) or 'none'}")
        else:
            found[intent] = _pinned(image.repository, asked, image.digest)
    return found


def _pinned(repository: Repository, tag: str, digest: str) -> Pinned:
    return Pinned(repository.host, repository.name, tag, digest)


def failure_of(intent: Intent, message: str, hint: str) -> OrchError:
    """Return what went wrong with an image, where its file names it."""
    return OrchError(message, file=intent.use.file, line=intent.use.span.line, hint=hint)


def _ask_registry(
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


def _read_push_report(file: Path) -> dict[str, Reported]:
    """Read the images that a push published, by name, from its report or that of its build.

    Raises:
        WorkspaceError: It cannot be read, or is no report of a push.
    """
    try:
        document = json.loads(file.read_bytes())
        push = document if document["schema"] == "orch.push/1" else document["push"]
        return dict(_reported(push))
    except OSError as error:
        raise unreadable(error, file) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "orch push --report FILE writes one, and so does orch build --push --report FILE"
        raise WorkspaceError("is no report of a push", file=file, hint=hint) from error


def _reported(push: Mapping[str, Any]) -> Iterable[tuple[str, Reported]]:
    if push["dry_run"]:
        raise ValueError("nothing was sent")
    for image in push["images"]:
        if image["reference"]:
            reference = Reference.parse(image["reference"])
            tags = tuple(row["tag"] for row in image["tags"] if row["status"] in _NAMING)
            yield image["name"], Reported(reference.repository, reference.digest, tags)
