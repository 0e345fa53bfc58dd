"""`orch build --load`: put built images into Docker."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from orchestrator.app.building import BuildRun
from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.oci.archive import docker_archive
from orchestrator.oci.layout import Layout


def load(run: BuildRun, say: Callable[[str], None]) -> None:
    """Load the images that were asked for, tagged `NAME:latest`.

    Raises:
        MissingToolError: No Docker engine answers.
        OrchError: The engine refuses an image.
    """
    images = {
        f"{name}:latest": run.outcomes[name].digest
        for name in run.planned.wanted
        if run.outcomes[name].digest
    }
    layout = Layout(run.planned.opened.paths.layout)
    with closing(DockerEngine()) as engine:
        for tag in engine.load(docker_archive(layout, images)):
            say(f"loaded {tag}")
