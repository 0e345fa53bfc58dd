"""What is known of an image's packages because a registry has an image with the same ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.engines.assembler.contents import Contents, package_groups
from orchestrator.engines.assembler.deb.accounts import User
from orchestrator.engines.assembler.segments import Joined, joined_key
from orchestrator.engines.assembler.store import Store, key_of
from orchestrator.oci.layer import Layer
from orchestrator.oci.segment import SegmentInfo

PACKAGES = "io.orch.packages"
"""Annotation of a manifest: the key of all packages, and of what they were checked for."""
USER = "io.orch.user"
"""Annotation of a manifest: who the image runs as, in numbers, by name, and where at home."""
_USER = re.compile(r"([0-9]{1,10}):([0-9]{1,10}):([^:]*):(.*)")


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """An image in a registry: its layers, the parent's first, and its manifest's annotations."""

    layers: Sequence[Layer]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a registry knows of images that are to be built: earlier ones, by their name.

    `told` is what it says that segments hold, by their key.
    """

    images: Mapping[str, PublishedImage] = field(default_factory=dict)
    told: Mapping[str, SegmentInfo] = field(default_factory=dict)

    def store_for(self, contents: Contents, store: Store) -> Store:
        """Return a store that knows what is known of an image's chain; its own layers first."""
        names = [part.image.name for part in reversed(contents.chain)]
        images = [self.images[name] for name in names if name in self.images]
        if not images and not self.told:
            return store
        return Store(store.folder, by_key(images), self.told)

    def find_user(self, contents: Contents, store: Store) -> User | None:
        """Return who an image runs as, if the earlier one stands for its packages.

        It does where it has the very same packages, and they were checked; their layers are here
        then, or known to be published.
        """
        user = find_user(contents, self.images.get(contents.own.image.name))
        return user if user and known_layers(contents, store) is not None else None


def packages_key(contents: Contents) -> str:
    """Return the key of an image's packages, and of all that decides whether they are sound.

    Images with equal keys have the same accounts, and were checked for the same things.
    """
    own = contents.own.image.recipe
    return key_of(
        "packages",
        contents.platform.key,
        contents.venv.path,
        contents.venv.python,
        [
            [[key for _, key in part.debs], [key for _, key in part.wheels], part.user]
            for part in contents.chain
        ],
        sorted(own.optional_libraries),
        sorted(own.prefer.items()),
    )


def notes_of(contents: Contents, user: User) -> dict[str, str]:
    """Return the annotations that let another machine do without the packages themselves."""
    who = f"{user.uid}:{user.gid}:{user.name}:{user.home}"
    return {PACKAGES: packages_key(contents), USER: who}


def find_user(contents: Contents, image: PublishedImage | None) -> User | None:
    """Return who an image runs as, if a published one with the same packages says so."""
    if image is None or image.annotations.get(PACKAGES) != packages_key(contents):
        return None
    found = _USER.fullmatch(str(image.annotations.get(USER, "")))
    return User(int(found[1]), int(found[2]), found[3], found[4]) if found else None


def known_layers(contents: Contents, store: Store) -> list[list[Joined]] | None:
    """Return the layers of an image's own packages; None if one is neither here nor published."""
    groups = package_groups(contents.own)
    found = [store.find_layers(joined_key(keys)) for _, keys in groups]
    if not all(found):
        return None
    return [[Joined(layer, is_new=False) for layer in layers] for layers in found]


def by_key(images: Iterable[PublishedImage]) -> dict[str, tuple[Layer, ...]]:
    """Return the layers of images by their key, in their order; the first image's count."""
    found: dict[str, tuple[Layer, ...]] = {}
    for image in images:
        own: dict[str, tuple[Layer, ...]] = {}
        for layer in image.layers:
            if layer.key and layer not in own.get(layer.key, ()):
                own[layer.key] = (*own.get(layer.key, ()), layer)
        found = {**own, **found}
    return found
