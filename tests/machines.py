"""Machines with a checkout and a cache each, over one small registry, for tests without network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.registries import TinyRegistry
from tests.tiny import Tiny
from tests.verbs import Ran, forget_credentials, run_orch


@dataclass
class Machine:
    """A checkout and a cache, and `orch` there."""

    tiny: Tiny
    registry: TinyRegistry
    run: Callable[..., Ran]

    def orch(self, *arguments: str) -> Ran:
        return self.run(self, *arguments)

    def publish(self, *arguments: str) -> dict[str, str]:
        """Run `orch build --changed --push`; return what came of each image it looked at."""
        self.registry.asked.clear()
        report = self.tiny.root / "report.json"
        ran = self.orch("build", "--changed", "--push", "--report", str(report), *arguments)
        assert ran.code == 0, ran.err
        images = json.loads(report.read_text())["images"]
        return {image["name"]: image["status"] for image in images}

    def built(self, *arguments: str) -> set[str]:
        return {name for name, status in self.publish(*arguments).items() if status == "built"}

    def elsewhere(self, name: str) -> Machine:
        """Return a machine with the same files, and nothing else."""
        root = self.tiny.root.with_name(name)
        shutil.copytree(self.tiny.root, root, ignore=shutil.ignore_patterns(".orch"))
        tiny = Tiny(root, self.tiny.cache.with_name(f"{name}-cache"), self.tiny.sources)
        tiny.adds = self.tiny.adds
        return Machine(tiny, self.registry, self.run)

    def without_packages(self, *but: str) -> None:
        """Let no place have packages, but for some by their names."""
        for path in self.tiny.sources.rglob("*"):
            if path.is_file() and not path.name.startswith(but):
                path.unlink()

    def tag(self, name: str, tag: str) -> str:
        return self.registry.tags[f"team/{name}", tag]


@contextmanager
def first_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Machine]:
    """Give a machine that has built nothing, of which `elsewhere` makes others."""
    forget_credentials(monkeypatch, folder / "home")

    def run(machine: Machine, *arguments: str) -> Ran:
        monkeypatch.setenv("ORCH_CACHE", str(machine.tiny.cache))
        return run_orch(capsys, "-C", machine.tiny.root, *arguments)

    with TinyRegistry().running() as registry:
        tiny = Tiny.make(folder / "first", folder / "sources", folder / "first-cache")
        settings = tiny.root / "orch.toml"
        settings.write_text(f'registry = "{registry.address}/team"\n' + settings.read_text())
        yield Machine(tiny, registry, run)
