"""Whether two version specifiers can both hold (PEP 440)."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.specifiers import SpecifierSet


def can_both_hold(one: SpecifierSet, other: SpecifierSet) -> bool:
    """Tell whether some version satisfies both.

    Versions are tried at every bound and just above it, which is all that can matter: between two
    neighbouring bounds either all versions satisfy or none does.
    """
    both = one & other
    return not len(both) or any(
        both.contains(version, prereleases=True) for version in _near_bounds(both)
    )


def _near_bounds(both: SpecifierSet) -> Iterator[str]:
    yield "0"
    yield "99999999"
    for item in both:
        if item.operator == "===":
            yield item.version
            continue
        version = item.version.removesuffix(".*")
        public = version.partition("+")[0]
        yield from (version, f"{public}.0.0.1", f"{public}.post1")
