"""Does an image stand on the very siblings that were made: its layers begin with theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.engines.buildkit.shelves import Shelf
from orchestrator.errors import BuildError
from orchestrator.model import DockerfileBuild, Image
from orchestrator.ports import Made


@dataclass(frozen=True, slots=True)
class Used:
    """A sibling as a Dockerfile names it."""

    reference: str
    line: int
    name: str
    digest: str


def find_below(shelf: Shelf, build: DockerfileBuild, used: Sequence[Used]) -> tuple[str, ...]:
    """Return the diffIDs that an image's layers must begin with; none if it is on no sibling.

    `used` has what the image's target stands on first.
    """
    first = build.uses.base.name if build.uses.base else ""
    if not used or used[0].reference != first:
        return ()
    return shelf.diff_ids(used[0].name, used[0].digest)


def stands_on(made: Made, below: Sequence[str]) -> bool:
    """Tell whether an image's layers begin with such diffIDs.

    Not all that BuildKit makes at once does: it may carry out a `COPY` for an image, and once more
    for what stands on that, and the folders it creates bear the time of day.
    """
    return [layer.diff_id for layer in made.layers[: len(below)]] == list(below)


def check_stands(made: Made, below: Sequence[str], used: Sequence[Used], image: Image) -> None:
    """Make sure of it.

    Raises:
        BuildError: It stands on another.
    """
    if not stands_on(made, below):
        raise BuildError(
            f"the image that was built does not stand on {used[0].name} as it was just made",
            file=str(image.file),
            line=used[0].line,
            hint="build again; if it stays so, something else tags images in this engine",
        )


def mark_below(made: Made, below: Sequence[str]) -> Made:
    """Say of an image which of its layers are the sibling's that it stands on."""
    return replace(
        made, reused_layers=frozenset(layer.digest for layer in made.layers[: len(below)])
    )
