"""What recipes may ask for on images that Dockerfiles define."""

from __future__ import annotations

from orchestrator.errors import WorkspaceError
from orchestrator.graph import Graph
from orchestrator.model import Workspace


def check_foundations(workspace: Workspace, graph: Graph) -> None:
    """Refuse Debian packages of recipes above a Dockerfile: what that installs nobody knows.

    A package could not be told from one that is there, nor a library from one that is missing.

    Raises:
        WorkspaceError: A recipe above a Dockerfile has [system] packages.
    """
    for name in graph.recipes:
        image = graph.images[name]
        if not image.recipe.system_packages:
            continue
        for above in graph.ancestors([name]):
            if graph.images[above].build is not None:
                raise WorkspaceError(
                    f"{name} has [system] packages, and stands on {above}, which a Dockerfile "
                    "defines",
                    file=workspace.root / image.file,
                    line=image.recipe.parent_line,
                    hint=f"install them in the Dockerfile of {above}, or write that as a recipe",
                )
