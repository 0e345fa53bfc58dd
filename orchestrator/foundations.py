"""What recipes may ask for on images that Dockerfiles define."""

from __future__ import annotations

from orchestrator.errors import WorkspaceError
from orchestrator.externals import external_parent
from orchestrator.graph import Graph
from orchestrator.model import Workspace


def check_foundations(workspace: Workspace, graph: Graph) -> None:
    """Refuse Debian packages of recipes above what they do not know the contents of.

    That is an image which a Dockerfile defines, or an external one.

    A package could not be told from one that is there, nor a library from one that is missing.

    Raises:
        WorkspaceError: A recipe above such an image has [system] packages.
    """
    for name in graph.recipes:
        image = graph.images[name]
        if not image.recipe.system_packages:
            continue
        for above in graph.ancestors([name]):
            if outside := external_parent(graph, above):
                raise WorkspaceError(
                    f"{name} has [system] packages, and stands on {outside}, an external image",
                    file=workspace.root / image.file,
                    line=image.recipe.parent_line,
                    hint="what that holds is not known; install them in a Dockerfile that "
                    "stands on it",
                )
            if graph.images[above].build is not None:
                raise WorkspaceError(
                    f"{name} has [system] packages, and stands on {above}, which a Dockerfile "
                    "defines",
                    file=workspace.root / image.file,
                    line=image.recipe.parent_line,
                    hint=f"install them in the Dockerfile of {above}, or write that as a recipe",
                )
