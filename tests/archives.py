"""A Debian archive of a few packages, and a workspace that asks of it, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.model import LockedDeb, Platform
from orchestrator.resolve.debian import Universe


@dataclass
class FakeArchive:
    """Offers `NAME VERSION` or `NAME VERSION: DEPENDS` for every architecture."""

    packages: list[str] = field(default_factory=list)
    date: str = "2026-01-01"

    def universe(self, platform: Platform) -> Universe:
        stanzas = [_stanza(package, platform.debian) for package in self.packages]
        return Universe(platform.debian, "bookworm", ["\n\n".join(stanzas).encode() + b"\n"])

    def release_dates(self) -> Mapping[str, str]:
        return {"bookworm": self.date}


def _stanza(package: str, architecture: str) -> str:
    what, _, depends = package.partition(":")
    name, version = what.split()
    deb = offered(name, version, architecture)
    needs = f"Depends: {depends.strip()}\n" if depends else ""
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{needs}"
        f"Filename: {deb.path}\nSize: {deb.size_bytes}\nSHA256: {deb.sha256}"
    )


def offered(name: str, version: str, architecture: str = "amd64") -> LockedDeb:
    """Return what a lock says of an offered package."""
    path = f"pool/{name}_{version}_{architecture}.deb"
    return LockedDeb(name, version, architecture, f"sha-{name}-{version}", 10, path)


def write_recipe(root: Path, name: str, parent: str, packages: str = "", wants: str = "") -> None:
    """Write an image that wants Debian packages and Python requirements, separated by blanks."""
    folder = root / "base" / name
    folder.mkdir(parents=True, exist_ok=True)
    names = ", ".join(f'"{package}"' for package in packages.split())
    (folder / "image.toml").write_text(f'from = "{parent}"\n[system]\npackages = [{names}]\n')
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in wants.split()))
