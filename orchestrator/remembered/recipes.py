"""Recipes that were read before and have not moved since."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from orchestrator import __version__
from orchestrator.model import FileCopy, FileFetch, Gates, Healthcheck, ImageConfig, Recipe
from orchestrator.recipe import REQUIREMENTS_FILE, read_recipe
from orchestrator.remembered.memory import Kind, Memory
from orchestrator.remembered.stamps import Stamp, look_ns

_FORMAT = 1
"""Raised when recipes are read in another way."""

_PARTS = (Recipe, FileCopy, FileFetch, ImageConfig, Healthcheck, Gates)
_NAMES = " ".join(field.name for part in _PARTS for field in fields(part))
_WRITTEN_BY = f"{__version__} {_FORMAT} {hashlib.sha256(_NAMES.encode()).hexdigest()[:16]}"
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
        subject, key = text[self._prefix :], f"{_WRITTEN_BY} {stamp.text}"
        known = self._memory.recall(Kind.RECIPE, subject, key)
        recipe = _parse(known) if known else None
        if recipe and _holds_still(recipe, os.path.dirname(text)):  # noqa: PTH120 - likewise
            return recipe
        recipe = read_recipe(file)
        if stamp.was_settled(looked_ns):
            self._memory.remember(Kind.RECIPE, subject, key, json.dumps(asdict(recipe)))
        return recipe


def _holds_still(recipe: Recipe, folder: str) -> bool:
    """Tell whether the files that a recipe takes requirements from are those it would take now."""
    if not recipe.requirements:
        return not os.path.isfile(f"{folder}/{REQUIREMENTS_FILE}")  # noqa: PTH113 - likewise
    return all(os.path.isfile(f"{folder}/{name}") for name in recipe.requirements)  # noqa: PTH113


def _parse(text: str) -> Recipe | None:
    """Read a row; None for one that is damaged."""
    try:
        raw: dict[str, Any] = json.loads(text)
        check = raw["healthcheck"]
        raw["files"] = tuple(FileCopy(**_with_tuples(row)) for row in raw["files"])
        raw["fetches"] = tuple(FileFetch(**row) for row in raw["fetches"])
        raw["config"] = ImageConfig(**_with_tuples(raw["config"]))
        raw["healthcheck"] = check and Healthcheck(**_with_tuples(check))
        raw["gates"] = Gates(**raw["gates"])
        return Recipe(**_with_tuples(raw))
    except (ValueError, TypeError, KeyError):
        return None


def _with_tuples(row: dict[str, Any]) -> dict[str, Any]:
    """Return a table with its lists as tuples: JSON has but the one."""
    return {name: tuple(value) if type(value) is list else value for name, value in row.items()}
