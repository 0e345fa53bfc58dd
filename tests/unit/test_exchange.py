"""Images between the layout and an engine are carried once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from orchestrator.engines.docker.engine import DockerEngine, EngineImage
from orchestrator.engines.docker.exchange import Exchange
from orchestrator.errors import OrchError
from orchestrator.oci.layout import Layout
from tests.saved import saved

ID = f"sha256:{'1' * 64}"


@dataclass
class Docker:
    """An engine with at most one image; `saves` are those it was asked to give."""

    is_there: bool = True
    saves: list[str] = field(default_factory=list)

    def find_image(self, reference: str) -> EngineImage | None:
        return EngineImage(reference, (), 1) if self.is_there else None

    def save(self, reference: str) -> Iterator[bytes]:
        self.saves.append(reference)
        return saved()


def exchange(docker: Docker, layout: Layout) -> Exchange:
    return Exchange(cast("DockerEngine", docker), layout)


def test_an_image_of_the_engine_is_saved_once_over_all_runs(tmp_path: Path) -> None:
    docker, layout = Docker(), Layout(tmp_path / "layout")
    digest = exchange(docker, layout).to_layout("web", ID)
    assert layout.has_image(digest)
    docker.is_there = False
    assert exchange(docker, layout).to_layout("web", ID) == digest
    assert docker.saves == [ID]


def test_an_image_that_the_layout_lost_is_saved_again(tmp_path: Path) -> None:
    docker, layout = Docker(), Layout(tmp_path / "layout")
    digest = exchange(docker, layout).to_layout("web", ID)
    layout.blob_path(digest).unlink()
    assert exchange(docker, layout).to_layout("web", ID) == digest
    assert layout.has_image(digest)


def test_an_image_that_nobody_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OrchError, match="web is gone"):
        exchange(Docker(is_there=False), Layout(tmp_path / "layout")).to_layout("web", ID)
