"""Recipes that were read before and have not moved since."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from orchestrator import __version__
from orchestrator.model import FileCopy, FileFetch, Gates, Healthcheck, ImageConfig, Recipe
from orchestrator.recipe import REQUIREMENTS_FILE, read_recipe
from orchestrator.remembered.memory import Kind, Memory
from orchestrator.remembered.stamps import Stamp, look_ns

_FORMAT = 3
"""Raised when recipes are read in another way."""

_BARE = {
    type(part): part
    for part in (
        Recipe(""),
        FileCopy("", ""),
        FileFetch("", "", ""),
        ImageConfig(),
        Healthcheck(),
        Gates(),
    )
}
"""What each part of a recipe is where nothing is said: a row has what differs from that."""

_DEFAULTS = hashlib.sha256(repr(_BARE).encode()).hexdigest()[:16]
_WRITTEN_BY = f"{__version__} {_FORMAT} {_DEFAULTS} "
"""What a stamp has besides the file's: a recipe with other fields was read in another way."""


class CachedRecipes:
    """A workspace's recipes, from an earlier reading where the file did not move since.

    What an earlier reading found is only taken from the same version of orch, and only where the
    requirement files that it found are there still, and no other.
    """

    def __init__(self, memory: Memory, root: Path) -> None:
        self._memory = memory
        self._prefix = len(str(root)) + 1

    def read(self, file: Path) -> Recipe:
        """Read a recipe.

        Raises:
            WorkspaceError: The file is not a valid recipe; the error has the line.
        """
        text, looked_ns = str(file), look_ns()
        try:
            stamp = Stamp.of(os.stat(text))  # noqa: PTH116 - paths are text here, for speed
        except OSError:
            return read_recipe(file)
        subject, key = text[self._prefix :], f"{_WRITTEN_BY}{stamp.text}"
        known = self._memory.recall(Kind.RECIPE, subject, key)
        recipe = _parse(known) if known else None
        if recipe and _holds_still(recipe, os.path.dirname(text)):  # noqa: PTH120 - likewise
            return recipe
        recipe = read_recipe(file)
        if stamp.was_settled(looked_ns):
            self._memory.remember(Kind.RECIPE, subject, key, _format(recipe))
        return recipe


def foresee_copies(stamp: str, value: str) -> tuple[FileCopy, ...]:
    """Return the `[[files]]` of a row of a recipe as it was when it was read last."""
    recipe = _parse(value) if stamp.startswith(_WRITTEN_BY) else None
    return recipe.files if recipe else ()


def was_read_from(value: str, recipe: Recipe) -> bool:
    """Tell whether a row is of the text that a recipe was read from, which says its `[[files]]`."""
    return bool(recipe.sha256) and recipe.sha256 in value


def _holds_still(recipe: Recipe, folder: str) -> bool:
    """Tell whether the files that a recipe takes requirements from are those it would take now."""
    if not recipe.requirements:
        return not os.path.lexists(f"{folder}/{REQUIREMENTS_FILE}")
    return all(os.path.isfile(f"{folder}/{name}") for name in recipe.requirements)  # noqa: PTH113


def _format(recipe: Recipe) -> str:
    return json.dumps(_plain(recipe))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; of a part of a recipe, what it says."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    bare = _BARE.get(type(value))
    if bare is None:
        return value
    said = {field.name: getattr(value, field.name) for field in fields(bare)}
    return {name: _plain(own) for name, own in said.items() if own != getattr(bare, name)}


_ONE: Mapping[str, type] = {"config": ImageConfig, "healthcheck": Healthcheck, "gates": Gates}
_SEVERAL: Mapping[str, type] = {"files": FileCopy, "fetches": FileFetch}


def _parse(text: str) -> Recipe | None:
    """Read a row; None for one that is damaged."""
    try:
        raw: dict[str, Any] = json.loads(text)
        if not raw["sha256"]:
            return None
        for name, kind in _SEVERAL.items():
            if name in raw:
                raw[name] = [kind(**_with_tuples(row)) for row in raw[name]]
        for name, kind in _ONE.items():
            if name in raw:
                raw[name] = kind(**_with_tuples(raw[name]))
        return Recipe(**_with_tuples(raw))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _with_tuples(row: dict[str, Any]) -> dict[str, Any]:
    """Make tuples of a table's lists: JSON has but the one."""
    for name, value in row.items():
        if type(value) is list:
            row[name] = tuple(value)
    return row
