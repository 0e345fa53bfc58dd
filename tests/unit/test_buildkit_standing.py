"""An image of a Dockerfile stands on the very sibling that was made, or is built again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from orchestrator.app.opened import open_workspace
from orchestrator.engines.buildkit.engine import BuildKit, ContextFiles
from orchestrator.errors import BuildError
from orchestrator.fingerprint import Fingerprint
from orchestrator.oci.layer import Layer
from orchestrator.plan import Action, Step
from orchestrator.ports import Made
from tests.helpers import AMD64, write_tree

if TYPE_CHECKING:
    from orchestrator.engines.buildkit.shelves import Shelf

TREE = {
    "orch.toml": "",
    "base/root/Dockerfile": "FROM scratch\nCOPY a /\n",
    "services/api/Dockerfile": "FROM root\nCOPY b /\n",
}


def image_of(*layers: str) -> Made:
    held = tuple(Layer(f"b{name}", name, 1, 1, "a COPY") for name in layers)
    return Made("sha256:" + "-".join(layers), 1, 1, held)


class Built:
    """BuildKit, as if images built together, or alone, had such layers."""

    def __init__(
        self, ws: Path, monkeypatch: pytest.MonkeyPatch, together: Made, alone: Made
    ) -> None:
        opened = open_workspace(write_tree(ws, TREE))
        shelf = SimpleNamespace(
            named_contexts=True,
            keeps_builds=True,
            address=None,
            diff_ids=lambda name, digest: ("root-1", "root-2"),
            put=lambda name, digest, scratch: together,
        )
        self._engine = BuildKit(
            opened.workspace, opened.paths, ContextFiles({}, {}), cast("Shelf", shelf), ()
        )
        self._step = Step(opened.graph.images["api"], AMD64, 1, Action.BUILD, Fingerprint.of([]))
        monkeypatch.setattr(self._engine._together, "build", lambda *_: together.digest)
        monkeypatch.setattr(self._engine, "_build_alone", lambda *_: alone)

    def build(self) -> Made:
        return self._engine.build(self._step, {"root": "sha256:root"})


ON_ROOT = image_of("root-1", "root-2", "api")
ON_ANOTHER = image_of("root-1", "root-2-made-again", "api")


def test_what_was_built_together_is_taken_and_its_parents_layers_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Built(tmp_path, monkeypatch, ON_ROOT, ON_ANOTHER).build()
    assert made.digest == ON_ROOT.digest
    assert made.reused_layers == {"broot-1", "broot-2"}


def test_what_was_built_together_on_another_making_of_its_parent_is_built_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Built(tmp_path, monkeypatch, ON_ANOTHER, ON_ROOT).build()
    assert made.digest == ON_ROOT.digest
    assert made.reused_layers == {"broot-1", "broot-2"}


def test_an_image_that_stands_on_another_even_alone_is_refused_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BuildError, match="does not stand on root as it was just made") as caught:
        Built(tmp_path, monkeypatch, ON_ANOTHER, ON_ANOTHER).build()
    assert caught.value.line == 1
