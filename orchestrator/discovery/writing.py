"""Settings as text, the way a person would write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from orchestrator.discovery.drafts import Undecided, is_plain, join_alike
from orchestrator.model import Image, ImageKind, Workspace
from orchestrator.recipe import RECIPE_FILE

_DEFINING = ("Dockerfile", RECIPE_FILE)


def format_settings(workspace: Workspace, undecided: Sequence[Undecided]) -> str:
    """Return settings that give just these images; what is undecided stands in comments."""
    settings = workspace.settings
    globs = _globs(workspace)
    lines = ["# The images of this repository. What is not written here has its default.", ""]
    lines.append(f"bases = {_list(globs[ImageKind.BASE])}")
    lines.append(f"services = {_list(globs[ImageKind.SERVICE])}")
    if settings.registry:
        lines.append(f"registry = {_text(settings.registry)}")
    if settings.aliases:
        lines.append(f"aliases = {_list(settings.aliases)}")
    for image in workspace.images.values():
        if table := list(_table(image)):
            lines += ["", f"[image.{_key(image.name)}]", *table]
    for places, item in join_alike(undecided):
        open_question = [f"Not decided: {places}: {item.message}", item.hint]
        said = [line for line in [*open_question, *item.setting.split("\n")] if line]
        lines += ["", *(f"# {_printable(line)}" for line in said)]
    return "\n".join([*lines, ""])


def _table(image: Image) -> Iterator[str]:
    if image.build is None:
        return
    table = image.build.settings
    if not is_plain(image):
        yield f"path = {_text(table.path)}"
        if table.dockerfile != "Dockerfile":
            yield f"dockerfile = {_text(table.dockerfile)}"
        yield f"kind = {_text(image.kind.value)}"
    if table.target:
        yield f"target = {_text(table.target)}"
    if table.build_args:
        pairs = [f"{_key(key)} = {_text(value)}" for key, value in table.build_args.items()]
        yield f"build-args = {{ {', '.join(pairs)} }}"
    if table.aliases:
        yield f"aliases = {_list(table.aliases)}"


def _globs(workspace: Workspace) -> Mapping[ImageKind, list[str]]:
    """Return the globs of each kind: `FOLDER/*` where it finds nothing else, else each folder.

    Of a folder that holds both kinds the bases are named, and the glob is of the services:
    a folder is of the first kind that finds it.
    """
    by_parent: dict[PurePosixPath, list[Image]] = {}
    for image in sorted(workspace.images.values(), key=lambda image: image.path):
        if is_plain(image):
            by_parent.setdefault(image.path.parent, []).append(image)
    known = {image.path for image in workspace.images.values()}
    globs: dict[ImageKind, list[str]] = {kind: [] for kind in ImageKind}
    for parent, images in by_parent.items():
        kinds = {image.kind for image in images}
        tidy = _finds_no_more(workspace.root, parent, known)
        for kind in kinds:
            paths = [str(image.path) for image in images if image.kind is kind]
            whole = tidy and (len(kinds) == 1 or kind is ImageKind.SERVICE)
            globs[kind] += [(parent / "*").as_posix()] if whole else paths
    return {kind: sorted(found) for kind, found in globs.items()}


def _finds_no_more(root: Path, parent: PurePosixPath, known: Iterable[PurePosixPath]) -> bool:
    """Tell whether every definition just below a folder is one of those known."""
    found = [file for name in _DEFINING for file in (root / parent).glob(f"*/{name}")]
    return {PurePosixPath(file.parent.relative_to(root).as_posix()) for file in found} <= set(known)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _printable(line: str) -> str:
    """Return a line as a comment may hold it: TOML refuses control characters."""
    return "".join(char if char.isprintable() else " " for char in line)
