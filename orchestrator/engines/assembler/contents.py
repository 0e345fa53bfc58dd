"""What an image consists of: its own packages and its ancestors', with the keys of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.engines.assembler.interpreter import bytecode_version, is_native
from orchestrator.engines.assembler.store import Store, key_of
from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.graph import DEBIAN_PREFIX, Graph
from orchestrator.lockfile import Lock
from orchestrator.model import Image, LockedDeb, LockedWheel, Platform, Settings
from orchestrator.oci.segment import SegmentInfo

BIG_WHEEL_BYTES = 8_000_000
"""From this size on, compressed, a wheel gets a layer of its own."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one image of a chain adds: packages with the keys of their segments."""

    image: Image
    debs: tuple[tuple[LockedDeb, str], ...]
    wheels: tuple[tuple[LockedWheel, str], ...]

    @property
    def user(self) -> str:
        """Return the recipe's user, or nothing."""
        return self.image.recipe.config.user


@dataclass(frozen=True, slots=True)
class Contents:
    """An image's parts: the ancestors', oldest first, and its own.

    Bytecode is compiled with the packages `compiled_by` of the platform `compiled_on`: the
    image's own, or those it has on this machine's platform where the lock knows them.
    """

    platform: Platform
    venv: Venv
    inherited: tuple[Part, ...]
    own: Part
    compiled_on: Platform
    compiled_by: tuple[LockedDeb, ...]

    @property
    def chain(self) -> tuple[Part, ...]:
        """Return all parts, the root's first."""
        return (*self.inherited, self.own)

    @property
    def has_venv(self) -> bool:
        """Tell whether the image has a virtual environment, its own or an ancestor's."""
        return any(part.wheels for part in self.chain)

    @property
    def begins_venv(self) -> bool:
        """Tell whether the image is the first of its chain with Python packages.

        Those of a Dockerfile are where that puts them.
        """
        assembled = [part for part in self.inherited if part.image.build is None]
        return bool(self.own.wheels) and not any(part.wheels for part in assembled)

    @property
    def stands_on_unknown(self) -> bool:
        """Tell whether the chain begins with an image that was not assembled."""
        root = self.chain[0].image
        return root.build is not None or not root.parent.startswith(DEBIAN_PREFIX)

    def compiles(self, deb: LockedDeb) -> bool:
        """Tell whether a package's Python sources are to be compiled."""
        return self.own.image.recipe.bytecode and _holds_python(deb)

    @property
    def debs(self) -> tuple[LockedDeb, ...]:
        """Return the Debian packages of the whole chain."""
        return tuple(deb for part in self.chain for deb, _ in part.debs)


def contents_of(
    graph: Graph, lock: Lock, settings: Settings, platform: Platform, name: str
) -> Contents:
    """Put together what an image consists of.

    Raises:
        LockError: The lock lacks an image of the chain.
    """
    venv = Venv(settings.python.venv, settings.python.version)
    chain = graph.chain(name)
    compiled_on = _compiling_platform(lock, chain, platform)
    debs = [deb for image in chain for deb in lock.image(image.name, compiled_on).debs]
    version = bytecode_version(settings.python.version, debs)
    parts = []
    for image in chain:
        adds = lock.image(image.name, platform)
        bytecode = version if image.recipe.bytecode else ""
        parts.append(
            Part(
                image,
                tuple((deb, deb_key(deb, bytecode)) for deb in adds.debs),
                tuple((wheel, wheel_key(wheel, venv, bytecode)) for wheel in adds.wheels),
            )
        )
    return Contents(platform, venv, tuple(parts[:-1]), parts[-1], compiled_on, tuple(debs))


def _compiling_platform(lock: Lock, chain: Sequence[Image], platform: Platform) -> Platform:
    """Return the platform whose interpreter compiles: one that this machine runs, if locked.

    The bytecode of a version is the same on every platform (PEP 3147 has no tag for them).
    """
    for locked in dict.fromkeys((platform, *(known for _, known in lock.images))):
        if is_native(locked) and all((image.name, locked) in lock.images for image in chain):
            return locked
    return platform


def deb_key(deb: LockedDeb, bytecode: str) -> str:
    """Return the key of a Debian package's segment; see `wheel_key` for `bytecode`."""
    return key_of("deb", deb.sha256, bytecode if _holds_python(deb) else "")


def _holds_python(deb: LockedDeb) -> bool:
    """Tell from its name whether a package brings Python sources to compile (Python Policy)."""
    return deb.name.startswith(("python3", "libpython3"))


def wheel_key(wheel: LockedWheel, venv: Venv, bytecode: str) -> str:
    """Return the key of a wheel's segment; `bytecode` is the version compiled for, or empty."""
    return key_of("wheel", wheel.sha256, venv.path, venv.python, bytecode)


def package_groups(part: Part) -> list[tuple[str, list[str]]]:
    """Return the layers of an image's packages, Debian's first: as for `wheel_groups`."""
    debs = [(f"{len(part.debs)} Debian packages", [key for _, key in part.debs])]
    return [*(debs if part.debs else []), *wheel_groups(part)]


def wheel_groups(part: Part) -> list[tuple[str, list[str]]]:
    """Return the layers of an image's wheels: what each is, and the keys of its segments.

    Small wheels share a layer, big ones get their own, so that a new version of one moves few
    bytes. Wheels that win over others by `prefer` come after all others.
    """
    winners = set(part.image.recipe.prefer.values())
    preferred = [item for item in part.wheels if item[0].name in winners]
    others = [item for item in part.wheels if item[0].name not in winners]
    return [*_grouped(others, "Python packages"), *_grouped(preferred, "preferred packages")]


def _grouped(
    wheels: Sequence[tuple[LockedWheel, str]], what: str
) -> Iterator[tuple[str, list[str]]]:
    small = [(wheel, key) for wheel, key in wheels if not has_own_layer(wheel)]
    if small:
        name = f"{len(small)} {what}" if len(small) > 1 else f"{small[0][0].name} package"
        yield name, [key for _, key in small]
    for wheel, key in wheels:
        if has_own_layer(wheel):
            yield f"{wheel.name} {wheel.version}", [key]


def has_own_layer(wheel: LockedWheel) -> bool:
    """Tell whether a wheel is so big that it gets a layer to itself."""
    return wheel.size_bytes >= BIG_WHEEL_BYTES


def infos(store: Store, parts: Sequence[Part]) -> list[SegmentInfo]:
    """Read what the parts' Debian segments hold."""
    return [store.read_info(key) for part in parts for _, key in part.debs]
