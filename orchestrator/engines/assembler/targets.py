"""Where `[[files]]` and `[[fetch]]` may lie in an image, as far as only the whole image tells."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import PurePosixPath

from orchestrator.engines.assembler.contents import Contents
from orchestrator.errors import AssemblyError
from orchestrator.files import SourceFile

_MERGED = frozenset({"bin", "lib", "lib64", "sbin"})
"""Links to folders of `usr` in images of Debian packages (file-hierarchy(7))."""


def check_targets(contents: Contents, files: Iterable[SourceFile]) -> None:
    """Make sure that nothing which a recipe copies hides what is below it.

    A layer's folder takes the place of a link: one file in `/bin` would hide all programs.

    Raises:
        AssemblyError: A path leads through such a link, or through a file.
    """
    copied = [file.target for file in files]
    fetched = [fetch.target.strip("/") for fetch in contents.own.image.recipe.fetches]
    if contents.debs and not contents.stands_on_unknown:
        _check_merged(chain(copied, fetched))
    _check_apart(copied)


def _check_merged(paths: Iterable[str]) -> None:
    for path in paths:
        folder, _, rest = path.partition("/")
        if rest and folder in _MERGED:
            raise AssemblyError(
                f"/{path} would hide what is in /{folder}, which is a link to usr/{folder}",
                hint=f"let it lie in /usr/{folder}",
            )


def _check_apart(paths: Iterable[str]) -> None:
    files = frozenset(paths)
    for path in sorted(files):
        for above in PurePosixPath(path).parents:
            if str(above) in files:
                raise AssemblyError(
                    f"[[files]] make /{above} a file, and a folder with /{path} in it",
                    hint="change one of the two 'to'",
                )
