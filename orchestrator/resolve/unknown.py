"""Projects of which no package index has even the name: mostly somebody mistyped it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from orchestrator.errors import ResolutionError
from orchestrator.lockfile import Lock
from orchestrator.resolve.python.requirements import RequirementLine

# An index that was not asked is no witness: what is said of uv's cache does not count.
_UNKNOWN = re.compile(
    r"([A-Za-z0-9._-]+) was not found in the (?:package registry|provided package locations)"
)


def find_unknown(
    lock: Lock, lines: Mapping[str, Iterable[RequirementLine]]
) -> ResolutionError | None:
    """Return an error that names all projects that images are unavailable for and no index has.

    `lines` are the requirements of each image: those that ask for one by name are named too.
    """
    why = (adds.unavailable for adds in lock.images.values())
    names = sorted({name for text in why for name in _UNKNOWN.findall(text)})
    if not names:
        return None
    places: dict[str, str] = {}
    for line in (line for own in lines.values() for line in own):
        places.setdefault(line.name, line.where)
    shown = (f"{name} ({places[name]})" if name in places else name for name in names)
    return ResolutionError(
        f"no package index has {', '.join(shown)}; what wants it is unavailable",
        hint="mend the name, or name the index that has it: in pip's configuration, or as "
        "[python] index-url",
    )
