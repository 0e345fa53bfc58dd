"""What a comparison finds, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from orchestrator.plan import Reason


class Kind(Enum):
    """Where a package is from."""

    DEBIAN = "Debian"
    PYTHON = "Python"


class Presence(Enum):
    """On which side an image is."""

    BOTH = "both"
    CAME = "came"
    WENT = "went"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A thing that came, went or is another one; None is what is not there."""

    subject: str
    old: str | None
    new: str | None

    @property
    def sign(self) -> str:
        """Return `+` for what came, `-` for what went, `~` for what changed."""
        return "~" if self.old is not None and self.new is not None else "-+"[self.old is None]


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package of another version; equal ones mean another file of the same version."""

    kind: Kind
    change: Change


@dataclass(frozen=True, slots=True)
class Sizes:
    """What an image weighs on both sides: as it is sent, and unpacked."""

    old_bytes: int
    new_bytes: int
    old_unpacked_bytes: int
    new_unpacked_bytes: int


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """What differs in an image on a platform.

    Of revisions there are `inputs`: what else it would be made from. Of images there are `files`,
    `config` and `sizes`, read off them.
    """

    image: str
    platform: str
    presence: Presence = Presence.BOTH
    packages: tuple[PackageChange, ...] = ()
    inputs: tuple[Reason, ...] = ()
    files: tuple[Change, ...] = ()
    config: tuple[Change, ...] = ()
    sizes: Sizes | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing differs."""
        found = self.packages or self.inputs or self.files or self.config
        return not found and self.presence is Presence.BOTH


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, `old` and `new` in words, and what differs; `pins` are what images stand on."""

    kind: str
    old: str
    new: str
    images: tuple[ImageDifference, ...] = ()
    pins: tuple[Change, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing differs."""
        return not self.pins and all(image.is_empty for image in self.images)


def compare_mappings(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    """Yield what differs between two mappings, sorted by key."""
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield Change(key, old.get(key), new.get(key))
