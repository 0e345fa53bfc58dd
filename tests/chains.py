"""What an image of a chain consists of, with its segments in a store, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from orchestrator.engines.assembler.contents import Contents, Part
from orchestrator.engines.assembler.deb.segment import write_deb_segment
from orchestrator.engines.assembler.store import Store
from orchestrator.engines.assembler.wheel.archive import WheelArchive
from orchestrator.engines.assembler.wheel.segment import write_wheel_segment
from orchestrator.model import (
    Definition,
    Image,
    ImageKind,
    LockedDeb,
    LockedWheel,
    Platform,
    Recipe,
)
from tests.debs import file, make_deb
from tests.wheels import VENV, locked, make_wheel


@dataclass
class Chain:
    """A chain of images, made part by part, the root's first."""

    folder: Path
    store: Store = field(init=False)
    parts: list[Part] = field(default_factory=list)
    _debs: list[tuple[LockedDeb, str]] = field(default_factory=list)
    _wheels: list[tuple[LockedWheel, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "store")

    def deb(self, name: str, files: Mapping[str, bytes] | None = None) -> None:
        """Add a Debian package to the image begun."""
        deb = LockedDeb(name, "1.0", "amd64", "", 0, "")
        members = [file(f"./{path}", data) for path, data in (files or {}).items()]
        path = make_deb(self.folder / f"{name}.deb", members)
        self.store.make_segment(name, lambda writer: write_deb_segment(path, deb, writer, None))
        self._debs.append((deb, name))

    def wheel(
        self,
        name: str,
        files: Mapping[str, bytes] | None = None,
        tag: str = "py3-none-any",
        size_bytes: int = 0,
    ) -> None:
        """Add a wheel to the image begun; `size_bytes` is what the lock says of it."""
        wheel = make_wheel(self.folder, name, "1.0", files, tag=tag)
        with WheelArchive(wheel, wheel.name) as archive:
            self.store.make_segment(
                name, lambda writer: write_wheel_segment(archive, VENV, writer, None)
            )
        pinned = locked(wheel)
        self._wheels.append((replace(pinned, size_bytes=size_bytes or pinned.size_bytes), name))

    def image(self, name: str, recipe: Recipe = Recipe("")) -> Contents:  # noqa: B008 - frozen
        """End an image; return the contents of the chain so far."""
        path = PurePosixPath("base", name)
        image = Image(name, ImageKind.BASE, Definition.RECIPE, path, path / "image.toml", recipe)
        self.parts.append(Part(image, tuple(self._debs), tuple(self._wheels)))
        self._debs, self._wheels = [], []
        inherited, own = tuple(self.parts[:-1]), self.parts[-1]
        platform = Platform("linux", "amd64")
        return Contents(platform, VENV, inherited, own, platform, ())
