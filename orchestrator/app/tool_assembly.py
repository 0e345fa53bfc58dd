"""Images that no recipe defines, assembled of packages for building wheels in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orchestrator.app.opened import Opened
from orchestrator.engines.assembler.engine import Assembler
from orchestrator.engines.assembler.interpreter import is_native
from orchestrator.engines.assembler.jobs import Workers
from orchestrator.engines.assembler.segments import Materials, SegmentWorks
from orchestrator.engines.assembler.store import Store
from orchestrator.engines.assembler.venv import venv_entries
from orchestrator.engines.assembler.wheel.segment import Venv
from orchestrator.engines.docker.wheel_place import USER, VENV
from orchestrator.fetch import Downloads
from orchestrator.fingerprint import Fingerprint
from orchestrator.graph import DEBIAN_PREFIX, build_graph
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.model import (
    Definition,
    Image,
    ImageConfig,
    ImageKind,
    LockedDeb,
    LockedWheel,
    Recipe,
    Workspace,
)
from orchestrator.oci.layout import Layout
from orchestrator.oci.tar import END_OF_ARCHIVE, padding, tar_header
from orchestrator.plan import Action, Step
from orchestrator.ports import Made
from orchestrator.resolve.python.offered import Target
from orchestrator.supply import Artifact

TOOLS, REQUIRES = "wheel-tools", "wheel-requires"


class Assembly:
    """Assembles images of packages alone; threads may share one."""

    def __init__(
        self,
        opened: Opened,
        downloads: Downloads,
        deb: Callable[[LockedDeb], Artifact],
        wheel: Callable[[LockedWheel], Artifact],
    ) -> None:
        self._opened = opened
        self._downloads = downloads
        self._materials = Materials({}, deb, wheel)

    def make(self, adds: Mapping[str, ImageLock], target: Target, folder: Path) -> Made:
        """Assemble the last of a chain of images into a layout in a folder.

        What comes of it has the layers of that image alone, not of those it stands on.

        Raises:
            OrchError: A package cannot be had, or they do not make a sound image.
        """
        settings = self._opened.workspace.settings
        python = replace(settings.python, venv=VENV, version=target.python)
        settings = replace(settings, python=python)
        images: dict[str, Image] = {}
        for name in adds:
            parent = next(reversed(images), f"{DEBIAN_PREFIX}{settings.debian.suite}")
            images[name] = _image(name, parent, target)
        workspace = Workspace(self._opened.workspace.root, settings, images)
        locked = {(name, target.platform): own for name, own in adds.items()}
        store, workers = Store(self._opened.paths.cache), Workers(os.cpu_count() or 1)
        assembler = Assembler(
            build_graph(workspace),
            Lock(target.python, settings.debian.suite, images=locked),
            settings,
            SegmentWorks(store, self._downloads, workers, self._materials),
            Layout(folder),
        )
        last = next(reversed(images.values()))
        step = Step(last, target.platform, 0, Action.BUILD, Fingerprint.of(()))
        try:
            if assembler.missing_bytes([step]) > Workers.WORTH_STARTING_BYTES:
                workers.start()
            assembler.start_fetching([step])
            return assembler.build(step, {})
        finally:
            workers.close()

    def empty_environment(self, target: Target, folder: Path) -> Path:
        """Write an archive of an environment without packages."""
        entries = venv_entries(Venv(VENV, target.python))
        parts = (tar_header(entry) + data + padding(len(data)) for entry, data in entries)
        folder.mkdir()
        (folder / "environment.tar").write_bytes(b"".join(parts) + END_OF_ARCHIVE)
        return folder / "environment.tar"


def _image(name: str, parent: str, target: Target) -> Image:
    # Bytecode is compiled by the image's own Python, where this machine can run that.
    bytecode = is_native(target.platform)
    recipe = Recipe(parent, bytecode=bytecode, config=ImageConfig(user=str(USER)))
    nowhere = PurePosixPath(name)
    return Image(name, ImageKind.BASE, Definition.RECIPE, nowhere, nowhere, recipe)
