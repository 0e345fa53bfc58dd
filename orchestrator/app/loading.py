"""`orch build --load`: put built images into Docker."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from orchestrator.app.building import BuildRun
from orchestrator.app.remote import RemoteLayers
from orchestrator.engines.docker.engine import DockerEngine
from orchestrator.oci.archive import docker_archive


def load(run: BuildRun, say: Callable[[str], None]) -> None:
    """Load the images that were asked for, tagged `NAME:latest`; some were built there.

    Raises:
        MissingToolError: No Docker engine answers.
        OrchError: The engine refuses an image.
    """
    remote = RemoteLayers(run.planned.opened)
    layout = remote.layout
    digests = {name: run.outcomes[name].digest for name in run.planned.wanted}
    loaded: dict[str, str] = {}
    kept: dict[str, str] = {}
    for name, digest in digests.items():
        if digest:
            remote.complete(digest)
            (loaded if layout.has_image(digest) else kept)[f"{name}:latest"] = digest
    with closing(DockerEngine()) as engine:
        for tag in engine.load(docker_archive(layout, loaded)) if loaded else ():
            say(f"loaded {tag}")
        for tag, digest in kept.items():  # built there
            engine.tag(digest, tag)
            say(f"tagged {tag}")
