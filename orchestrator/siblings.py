"""The names by which Dockerfiles call the images of a workspace."""

from __future__ import annotations

from orchestrator.errors import WorkspaceError
from orchestrator.model import Image, Reference, Workspace

WHEELS_CONTEXT = "wheels"
"""The named context that holds the wheels which the lock has for an image."""


class SiblingNames:
    """Finds siblings by reference: by name, behind the registry or an alias of it, by alias.

    Any tag will do, since a workspace has one image of a name; an alias that has a tag itself
    is that tag only. A reference with a digest is never a sibling: the pin wins. Nor is an
    image's own name in its own Dockerfile, as in `FROM redis:7` of an image `redis`.
    """

    def __init__(self, workspace: Workspace) -> None:
        settings = workspace.settings
        prefixes = (settings.registry, *settings.aliases)
        self._prefixes = tuple(f"{prefix.rstrip('/')}/" for prefix in prefixes if prefix)
        self._names = {name: name for name in workspace.images}
        for name, image in workspace.images.items():
            for alias in image.build.settings.aliases if image.build else ():
                other = self._names.setdefault(alias, name)
                if other != name:
                    raise WorkspaceError(
                        f"[image.{name}] alias {alias!r} is a name of {other} too",
                        file=settings.file,
                        line=image.build.settings.line if image.build else None,
                        hint="let each alias name one image",
                    )

    def find(self, reference: str, *, by: str) -> str | None:
        """Return the sibling that a reference names, or None where it is an external image.

        `by` is the image whose Dockerfile has the reference.
        """
        if "@" in reference:
            return None
        repository = without_tag(reference)
        for prefix in ("", *self._prefixes):
            if reference.startswith(prefix):
                tagged, plain = reference[len(prefix) :], repository[len(prefix) :]
                found = self._names.get(tagged) or self._names.get(plain)
                if found:
                    return found if found != by else None
        return None


def without_tag(reference: str) -> str:
    """Return a reference, which has no digest, without its tag."""
    head, colon, tag = reference.rpartition(":")
    return head if colon and "/" not in tag else reference


def familiar_name(reference: str) -> str:
    """Return a reference as BuildKit compares it with names of stages and of named contexts."""
    name = reference.removesuffix(":latest")
    for prefix in ("docker.io/library/", "docker.io/"):
        name = name.removeprefix(prefix)
    return name


def is_wheels_context(names: SiblingNames, image: Image, reference: Reference) -> bool:
    """Tell whether a reference is to the wheels of the lock: no sibling or context is so called."""
    contexts = image.build.settings.options.contexts if image.build else {}
    return (
        familiar_name(reference.name) == WHEELS_CONTEXT
        and WHEELS_CONTEXT not in contexts
        and names.find(reference.name, by=image.name) is None
    )
