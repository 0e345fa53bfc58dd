"""Two wheels that write different bytes to one path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.engines.assembler.contents import Contents
from orchestrator.engines.assembler.store import Store
from orchestrator.errors import AssemblyError
from orchestrator.model import LockedWheel


@dataclass(frozen=True, slots=True)
class _Paths:
    """A wheel's files: path to content, and the first components, to compare few wheels."""

    files: Mapping[str, str]
    tops: frozenset[str]


def check_clashes(contents: Contents, store: Store) -> None:
    """Make sure that no wheel of an image overwrites another's file with other bytes.

    Raises:
        AssemblyError: One does, and the recipe's `[python] prefer` does not name the winner.
    """
    site = contents.venv.site_packages
    by_top: dict[str, list[tuple[LockedWheel, _Paths]]] = {}
    for part in contents.inherited:
        for wheel, key in part.wheels:
            _add(by_top, wheel, _read_paths(store, key, site))
    for wheel, key in contents.own.wheels:
        paths = _read_paths(store, key, site)
        for other, others in _sharing(by_top, paths):
            _compare(contents, wheel, paths, other, others)
        _add(by_top, wheel, paths)


def _add(
    by_top: dict[str, list[tuple[LockedWheel, _Paths]]], wheel: LockedWheel, paths: _Paths
) -> None:
    for top in paths.tops:
        by_top.setdefault(top, []).append((wheel, paths))


def _sharing(
    by_top: Mapping[str, list[tuple[LockedWheel, _Paths]]], paths: _Paths
) -> Iterable[tuple[LockedWheel, _Paths]]:
    found = {wheel: others for top in paths.tops for wheel, others in by_top.get(top, ())}
    return found.items()


def _compare(
    contents: Contents, wheel: LockedWheel, paths: _Paths, other: LockedWheel, others: _Paths
) -> None:
    prefer = contents.own.image.recipe.prefer
    for path in sorted(paths.files.keys() & others.files.keys()):
        if paths.files[path] == others.files[path]:
            continue
        relative = path.removeprefix(contents.venv.site_packages + "/")
        winner = prefer.get(relative) or prefer.get(relative.split("/", 1)[0])
        if winner is None:
            raise AssemblyError(
                f"{wheel.name} {wheel.version} and {other.name} {other.version} both hold "
                f"{relative}, and it is not the same file",
                file=str(contents.own.image.file),
                hint=f'say which wins: [python] prefer = {{ "{relative}" = "{wheel.name}" }}',
            )
        own = {locked.name for locked, _ in contents.own.wheels}
        if winner not in own:
            raise AssemblyError(
                f"{winner} cannot win {relative}: only a package of the image's own can",
                file=str(contents.own.image.file),
                hint=f"name {wheel.name}, or move the package to the base",
            )


@lru_cache(maxsize=4096)
def _read_paths(store: Store, key: str, site: str) -> _Paths:
    prefix = f"{site}/"
    files = {
        entry.path: entry.sha256
        for entry in store.read_info(key).entries
        if not entry.path.endswith(".pyc")
    }
    tops = frozenset(path.removeprefix(prefix).split("/", 1)[0] for path in files)
    return _Paths(files, tops)
