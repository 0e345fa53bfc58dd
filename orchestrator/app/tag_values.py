"""What templates of tags are filled with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from orchestrator.errors import WorkspaceError
from orchestrator.git import commit_annotations, describe, is_dirty
from orchestrator.model import Settings
from orchestrator.tagging import TEMPLATE_HINT, expand_template, template_problem

_COMMIT_DIGITS = 12


class TagValues:
    """The values of one moment; git is asked once, when a template first wants to know.

    `notes` take what a person should know of the tags.
    """

    def __init__(self, root: Path, now: datetime, notes: list[str]) -> None:
        self._root, self._now, self._notes = root, now, notes
        self._git: Mapping[str, str] = {}

    def expand(self, templates: tuple[str, ...], fingerprint: Callable[[], str]) -> tuple[str, ...]:
        """Return the tags that templates give an image, in their order.

        Raises:
            WorkspaceError: A template is wrong, or wants something that there is not.
        """
        for template in templates:
            if problem := template_problem(template):
                raise WorkspaceError(problem, hint=TEMPLATE_HINT)
        values = {
            "version": lambda: self._from_git("version"),
            "commit": lambda: self._from_git("commit"),
            "date": lambda: f"{self._now:%Y%m%d}",
            "fingerprint": fingerprint,
        }
        return tuple(dict.fromkeys(expand_template(item, values) for item in templates))

    def _from_git(self, what: str) -> str:
        if not self._git:
            commit = commit_annotations(self._root).get("org.opencontainers.image.revision", "")
            mark = ""
            if is_dirty(self._root):
                mark = "-dirty"
                self._notes.append("files differ from the commit: tags of it end in -dirty")
            version = describe(self._root)
            self._git = {
                "commit": commit and f"{commit[:_COMMIT_DIGITS]}{mark}",
                "version": version and f"{version}{mark}",
            }
        if not self._git[what]:
            missing = "a commit" if what == "commit" else "a tag of git's (git tag v1.0)"
            raise WorkspaceError(
                f"a tag needs {{{what}}}, and there is none", hint=f"make {missing}, or take it out"
            )
        return self._git[what]


def templates_of(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the templates of an image's tags: its own, else the workspace's."""
    of_image = settings.images[name].tags if name in settings.images else ()
    return of_image or settings.tags
