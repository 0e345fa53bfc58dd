"""What an image consists of, as values: packages by the image of its chain that brings them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from packageurl import PackageURL
from packaging.utils import canonicalize_name, canonicalize_version

from orchestrator.model import FileFetch, LockedDeb, LockedWheel, Platform


class PackageKind(Enum):
    """Where a package is from, as package URLs name it."""

    DEBIAN = "deb"
    PYTHON = "pypi"


@dataclass(frozen=True, slots=True, order=True)
class Distribution:
    """The Debian-like system that a package is of: its name and its release."""

    vendor: str = "debian"
    release: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """A package in an image; `sha256` is that of the file it came in, empty where unknown."""

    kind: PackageKind
    name: str
    version: str
    architecture: str = ""
    distribution: Distribution | None = None
    sha256: str = ""
    file: str = ""

    @classmethod
    def of_deb(cls, deb: LockedDeb, distribution: Distribution) -> Package:
        """Return a package of the lock."""
        return cls(
            PackageKind.DEBIAN,
            deb.name,
            deb.version,
            deb.architecture,
            distribution,
            deb.sha256,
            deb.file,
        )

    @classmethod
    def of_wheel(cls, wheel: LockedWheel) -> Package:
        """Return a package of the lock."""
        name, version = canonicalize_name(wheel.name), wheel.version
        return cls(PackageKind.PYTHON, name, version, sha256=wheel.sha256, file=wheel.file)

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return what is equal of two notes of one package: kind, name and version."""
        is_python = self.kind is PackageKind.PYTHON  # metadata and files' names may differ in zeros
        version = canonicalize_version(self.version) if is_python else self.version
        return self.kind.value, self.name, version

    @property
    def purl(self) -> PackageURL:
        """Return the package's URL, which names no host (ECMA-427)."""
        if self.kind is PackageKind.PYTHON:
            return PackageURL("pypi", None, self.name, self.version)
        distribution = self.distribution or Distribution()
        told = {"arch": self.architecture, "distro": distribution.release}
        qualifiers = {key: value for key, value in told.items() if value}
        return PackageURL("deb", distribution.vendor, self.name, self.version, qualifiers)


@dataclass(frozen=True, slots=True)
class Tier:
    """What one image of a chain brings."""

    image: str
    packages: tuple[Package, ...] = ()
    fetches: tuple[FileFetch, ...] = ()


@dataclass(frozen=True, slots=True)
class ExternalBase:
    """An image outside the workspace that something is made from; the digest may be unknown."""

    reference: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """What an image consists of; `tiers` are those of its chain, the root's first, its own last.

    `unread` says why more may be in the image than is listed; it is empty where all packages
    are known.
    """

    image: str
    platform: Platform
    digest: str
    tiers: tuple[Tier, ...]
    bases: tuple[ExternalBase, ...] = ()
    unread: str = ""

    @property
    def purl(self) -> PackageURL:
        """Return the image's own URL, which names no registry."""
        return PackageURL("oci", None, self.image, self.digest)

    @property
    def packages(self) -> tuple[Package, ...]:
        """Return the packages of all tiers."""
        return tuple(package for tier in self.tiers for package in tier.packages)


def with_found(
    tiers: Iterable[Tier],
    unknown: str,
    found: Collection[Package],
    hashes: Mapping[tuple[str, str, str], Package],
    *,
    is_whole: bool,
) -> tuple[Tier, ...]:
    """Return tiers completed by what was found in an image's layers.

    What no tier knows is said to be of the image `unknown`; its hash is that which the lock has
    for a package of that name and version. Where the whole image was read, what is not found
    is not in it any more.
    """
    there = {package.identity for package in found}
    kept = tuple(
        replace(
            tier,
            packages=tuple(
                item for item in tier.packages if not is_whole or item.identity in there
            ),
        )
        for tier in tiers
    )
    known = {package.identity for tier in kept for package in tier.packages}
    more = tuple(
        _with_hash(package, hashes.get(package.identity))
        for package in sorted(found, key=lambda package: package.identity)
        if package.identity not in known
    )
    return tuple(
        replace(tier, packages=(*tier.packages, *more)) if tier.image == unknown else tier
        for tier in kept
    )


def _with_hash(package: Package, locked: Package | None) -> Package:
    return replace(package, sha256=locked.sha256, file=locked.file) if locked else package
